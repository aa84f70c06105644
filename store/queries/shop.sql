Stock, payments and shipments.

-- name: reservations
select sku, quantity from saga.reservations where idempotency_key = $1

-- name: take_stock
update saga.stock set on_hand = on_hand - $2 where sku = $1 and on_hand >= $2

-- name: stock
select sku, on_hand from saga.stock where sku = $1

-- name: insert_reservation
insert into saga.reservations (idempotency_key, sku, order_id, quantity) values ($1, $2, $3, $4)

-- name: release_reservations
with released as (
    update saga.reservations set released_at = now()
    where idempotency_key = $1 and released_at is null
    returning sku, quantity
)
update saga.stock set on_hand = on_hand + released.quantity
from released where stock.sku = released.sku

-- name: payment
select payment_id, amount from saga.payments where idempotency_key = $1

-- name: charge_account
update saga.accounts set charged = charged + $2 where account_id = $1 and charged + $2 <= credit_limit

-- name: account
select account_id, credit_limit - charged as available from saga.accounts where account_id = $1

-- name: insert_payment
insert into saga.payments (idempotency_key, payment_id, order_id, account_id, amount) values ($1, $2, $3, $4, $5)

-- name: refund_payment
with refunded as (
    update saga.payments set refunded_at = now()
    where idempotency_key = $1 and refunded_at is null
    returning account_id, amount
)
update saga.accounts set charged = charged - refunded.amount
from refunded where accounts.account_id = refunded.account_id

-- name: sales
select count(*) as payments,
    count(refunded_at) as refunded,
    coalesce(sum(amount) filter (where refunded_at is null), 0) as revenue
from saga.payments where created_at >= $1 and created_at < $2

-- name: insert_shipment
insert into saga.shipments (idempotency_key, shipment_id, order_id, address)
values ($1, $2, $3, $4)
on conflict (idempotency_key) do nothing

-- name: cancel_shipment
update saga.shipments set cancelled_at = now() where idempotency_key = $1 and cancelled_at is null
