"""Signs who acts in each transaction: docs/request-context.md."""
import contextlib
import contextvars
import hashlib
import hmac
import re
import time

LIFETIME_S = 30
NAMES = (  # field, is a name, longest
    ("user_id", True, 255),
    ("session_id", True, 255),
    ("subject", True, 255),
    ("client_ip", False, 64),
    ("user_agent", False, 512),
    ("request_id", False, 128),
    ("trace_id", False, 128),
    ("correlation_id", False, 128),
    ("api_endpoint", False, 512),
    ("application_version", False, 128),
    ("tenant_id", True, 128),
)
SET = "select akashi_auth.set_context(%s)"
SERVER = "select extract(epoch from clock_timestamp())::float8, akashi_auth.context_audience()"

_actor = contextvars.ContextVar("akashi_actor", default=None)


@contextlib.contextmanager
def actor(**fields):
    """Everything inside acts for this actor: `with actor(user_id=42, client_ip='203.0.113.9'):`"""
    token = _actor.set([_fit(fields.pop(name, ""), name, *rule) for name, *rule in NAMES])
    try:
        if fields:
            raise TypeError(f"an actor has no {', '.join(fields)}")
        yield
    finally:
        _actor.reset(token)


def _fit(value, name, is_name, longest):
    text = "" if value is None else str(value)
    if not is_name:
        return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", "\ufffd", text)[:longest]
    if len(text) > longest or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
        raise ValueError(f"{name} of the actor is not valid")
    return text


class Signer:
    def __init__(self, key):
        match = re.fullmatch(r"akctx_([a-z0-9_-]+)_([0-9a-f]{64})", key.strip())
        if match is None:
            raise ValueError("the context key is not valid")
        self._id, self._secret = match[1], bytes.fromhex(match[2])

    def values(self, fields, expires, audience):
        claims = [*fields, str(expires), self._id]
        signed = "\x1f".join(["akashi-context/1", *claims, audience]).encode()
        return [*claims, hmac.new(self._secret, signed, hashlib.sha256).hexdigest()]

    def begin(self, cursor, known):
        """Gives the open transaction its context. `known` is a dict that lives as long as the connection."""
        fields = _actor.get()
        if fields is None:
            return
        if "audience" not in known:
            cursor.execute(SERVER)
            server_time, known["audience"] = cursor.fetchone()
            known["ahead"] = server_time - time.time()
        expires = int(time.time() + known["ahead"]) + LIFETIME_S
        try:
            cursor.execute(SET, (self.values(fields, expires, known["audience"]),))
        except Exception:
            # Perhaps it is another server than before; the next transaction looks again.
            known.clear()
            raise


def carry(engine, key):
    """Every transaction of a SQLAlchemy engine carries the context of the current actor."""
    from sqlalchemy import event

    signer = Signer(key)

    @event.listens_for(engine, "begin")
    def begin(connection):
        with contextlib.closing(connection.connection.cursor()) as cursor:
            signer.begin(cursor, connection.info.setdefault("akashi", {}))


@contextlib.contextmanager
def transaction(connection, signer, known):
    """The same for psycopg: `with transaction(connection, signer, known) as cursor:`"""
    with connection.transaction(), connection.cursor() as cursor:
        signer.begin(cursor, known)
        yield cursor
