Deliveries of webhooks that were accepted.

-- name: insert
insert into saga.webhook_deliveries (source, delivery_id, digest, event_id, once_by_body)
values ($1, $2, $3, $4, $5)
on conflict do nothing

-- name: find
select digest from saga.webhook_deliveries where source = $1 and delivery_id = $2

-- name: forget
delete from saga.webhook_deliveries
where ctid = any(array(
    select ctid from saga.webhook_deliveries where accepted_at < $1 order by accepted_at limit $2 for update skip locked
))
