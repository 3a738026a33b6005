-- The tables of the shop. Customers see their own orders and rows; whoever they are comes from the signed context.
create schema shop;

create table shop.customers (
  id    text primary key,
  name  text not null,
  email text not null
);
create table shop.orders (
  id          integer primary key generated always as identity,
  customer_id text not null references shop.customers on delete cascade,
  item        text not null,
  state       text not null default 'placed' check (state in ('placed', 'shipped', 'returned'))
);

create function shop.customer() returns text
  language sql stable
  return case when akashi_auth.context_application() = 'shop' then akashi_auth.context_user() end;

alter table shop.customers enable row level security;
alter table shop.orders enable row level security;
create policy own on shop.customers to shop_app using (id = (select shop.customer()));
create policy own on shop.orders to shop_app using (customer_id = (select shop.customer()));

grant usage on schema shop to shop_app;
grant select, insert, update, delete on shop.customers, shop.orders to shop_app;
