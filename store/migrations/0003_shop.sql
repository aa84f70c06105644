-- The reference shop: stock, accounts with a credit limit, payments and shipments.
create table saga.stock (
    sku text primary key,
    title text not null,
    on_hand integer not null check (on_hand >= 0)
);

insert into saga.stock (sku, title, on_hand) values
    ('pen', 'Fountain pen', 1000000),
    ('lamp', 'Desk lamp', 5000),
    ('desk', 'Standing desk', 500),
    ('globe', 'Antique globe', 0);

create table saga.accounts (
    account_id text primary key,
    credit_limit numeric(12, 2) not null,
    charged numeric(12, 2) not null default 0,
    check (charged >= 0 and charged <= credit_limit)
);

insert into saga.accounts (account_id, credit_limit) values
    ('acme', 1000000000),
    ('corner-shop', 50);

create table saga.reservations (
    idempotency_key text not null,
    sku text not null references saga.stock,
    order_id text not null,
    quantity integer not null check (quantity > 0),
    released_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (idempotency_key, sku)
);

create table saga.payments (
    idempotency_key text primary key,
    payment_id uuid not null unique,
    order_id text not null,
    account_id text not null references saga.accounts,
    amount numeric(12, 2) not null check (amount > 0),
    refunded_at timestamptz,
    created_at timestamptz not null default now()
);

create table saga.shipments (
    idempotency_key text primary key,
    shipment_id uuid not null unique,
    order_id text not null,
    address text not null,
    cancelled_at timestamptz,
    created_at timestamptz not null default now()
);
