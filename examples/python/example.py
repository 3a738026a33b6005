import json
import os
import sys

from akashi_context import NAMES, Signer, actor, carry, transaction

WHO = "select akashi_auth.context_application(), akashi_auth.context_user()"


def vectors():
    signer = Signer("akctx_shop-1_" + "42" * 32)
    names = [name for name, *_ in NAMES]
    for given, audience in (
        ({"user_id": "山田 太郎 <taro@example.jp>", "session_id": "s/1", "client_ip": "203.0.113.9", "request_id": "r-1",
          "api_endpoint": "POST /orders", "application_version": "1.2.3"}, "shop/shop_app/0002b2d8c6a5f640"),
        ({"user_id": "42"}, '"My Shop"/shop_app/0002b2d8c6a5f640'),
    ):
        print(signer.values([given.get(name, "") for name in names], 1700000030, audience)[-1])


def with_sqlalchemy(url, key):
    from sqlalchemy import create_engine, text

    engine = create_engine(url, future=True)
    carry(engine, key)
    with actor(user_id="taro", client_ip="203.0.113.9"), engine.begin() as connection:
        connection.execute(text("insert into public.orders (item) values ('python')"))
        print(json.dumps(list(connection.execute(text(WHO)).one())))
    with engine.begin() as connection:
        assert connection.execute(text(WHO)).one() == (None, None)


def with_psycopg(url, key):
    import psycopg

    signer, known = Signer(key), {}
    with psycopg.connect(url, autocommit=True) as connection, actor(user_id="taro"):
        with transaction(connection, signer, known) as cursor:
            cursor.execute("insert into public.orders (item) values ('python')")
            print(json.dumps(list(cursor.execute(WHO).fetchone())))


if sys.argv[1:] == ["vectors"]:
    vectors()
else:
    with_sqlalchemy(os.environ["DATABASE_URL"], os.environ["SHOP_CONTEXT_KEY"])
    with_psycopg(os.environ["DATABASE_URL"], os.environ["SHOP_CONTEXT_KEY"])
