"""Fills a service with all kinds of data, changes it, and tells what there is, with the client that its users take."""

import hashlib
import os
import sys
from urllib.parse import urlsplit


def digest(parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(repr(part).encode())
    return total.hexdigest()


TABLES = [
    """CREATE TABLE parents (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(80) NOT NULL,
       made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, UNIQUE KEY by_name (name))""",
    """CREATE TABLE children (id INT PRIMARY KEY AUTO_INCREMENT, parent INT NOT NULL, body LONGBLOB, note TEXT,
       price DECIMAL(10, 2), twice DECIMAL(11, 2) AS (price * 2), share DOUBLE,
       CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE)""",
    "CREATE TABLE story (`a ``word` VARCHAR(100))",
    "CREATE VIEW names AS SELECT name FROM parents WHERE id > 1",
    """CREATE TRIGGER told AFTER INSERT ON children FOR EACH ROW
       INSERT INTO story VALUES (CONCAT('child ', NEW.id))""",
    """CREATE PROCEDURE add_parent(IN new_name VARCHAR(80))
       BEGIN
       -- INSERT INTO `story` VALUES ('this is no row');
       INSERT INTO parents (name) VALUES (new_name);
       END""",
    "CREATE FUNCTION half(n INT) RETURNS INT DETERMINISTIC RETURN n / 2",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM story",
]
KINDS = [
    "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE()",
    "SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
    "SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_schema = DATABASE()",
    "SELECT event_name, event_definition FROM information_schema.events WHERE event_schema = DATABASE()",
    "SELECT definer FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND definer <> CURRENT_USER()",
    "SELECT definer FROM information_schema.views WHERE table_schema = DATABASE() AND definer <> CURRENT_USER()",
    "SELECT * FROM parents",
    "SELECT * FROM children",
    "SELECT * FROM story",
    "SELECT * FROM names",
    "SELECT word FROM kept",
]


class Mysql:
    def __init__(self, at):
        import pymysql

        self.database = pymysql.connect(
            host=at.hostname, port=at.port, user=at.username, password=at.password, database=at.path[1:], autocommit=True
        )

    def ask(self, sql, values=None):
        with self.database.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def fill(self):
        for sql in TABLES:
            self.ask(sql)
        for name in ["plain", "Ünïcödé \"quotes\" ' and `ticks`", "a\\b\nc\td;", "DELIMITER ;;\nDEFINER=`x`@`y`"]:
            self.ask("CALL add_parent(%s)", (name,))
        for n in range(300):
            body = hashlib.sha256(str(n).encode()).digest() * 3
            self.ask(
                "INSERT INTO children (parent, body, note, price, share) VALUES (%s, %s, %s, %s, %s)",
                (n % 4 + 1, body, "note\r\n%d" % n if n % 7 else None, n / 8, n / 7),
            )

    def change(self):
        for sql in [
            "DELETE FROM parents WHERE id = 2",
            "DROP TRIGGER told",
            "DROP VIEW names",
            "CREATE VIEW others AS SELECT 1",
            "ALTER TABLE story ADD more INT",
            "CREATE TABLE besides (id INT PRIMARY KEY)",
            "CREATE TRIGGER besides_told AFTER INSERT ON besides FOR EACH ROW DELETE FROM story",
            "DROP TABLE kept",
            "DROP PROCEDURE add_parent",
        ]:
            self.ask(sql)

    def all(self):
        # What is not there is something else than what is empty.
        def answer(sql):
            try:
                return sorted(self.ask(sql), key=repr)
            except Exception as error:
                return str(error)

        return [answer(sql) for sql in KINDS]

    def use(self):
        before = self.ask("SELECT COUNT(*) FROM story")[0][0]
        self.ask("CALL add_parent('new')")
        parent = self.ask("SELECT id FROM parents WHERE name = 'new'")[0][0]
        assert parent == 5, parent
        self.ask("INSERT INTO children (parent, price) VALUES (%s, 2.5)", (parent,))
        assert self.ask("SELECT COUNT(*) FROM story")[0][0] == before + 1
        self.ask("DELETE FROM parents WHERE id = %s", (parent,))
        assert self.ask("SELECT COUNT(*) FROM children WHERE parent = %s", (parent,))[0][0] == 0
        assert self.ask("SELECT half(4)")[0][0] == 2
        assert ("new",) not in self.ask("SELECT * FROM names")


class Redis:
    def __init__(self, url):
        import redis

        self.at = lambda number: redis.from_url(url, ssl_cert_reqs=None, db=number)

    def fill(self):
        store = self.at(0)
        for n in range(1000):
            store.set("key %d" % n, hashlib.sha256(str(n).encode()).digest() * 8)
        store.set(b"bin\r\n\x00ary", b"\x00\xff\r\n")
        store.rpush("list", *range(500))
        store.hset("hash", mapping={"field %d" % n: n for n in range(500)})
        store.sadd("set", *range(500))
        store.zadd("sorted", {"member %d" % n: n / 7 for n in range(500)})
        store.xadd("stream", {"a": "b"}, id="1-1")
        store.set("lasts a day", "x", ex=86400)
        store.set("expires soon", "x", px=1)
        store.function_load("#!lua name=mine\nredis.register_function('double', function(k, a) return a[1] * 2 end)")
        self.at(1).set("elsewhere", "y")

    def change(self):
        store = self.at(0)
        store.delete("list", "key 1", "lasts a day")
        store.set("key 2", "other")
        store.set("besides", "z")
        store.function_delete("mine")
        self.at(1).flushdb()
        self.at(2).set("besides", "z")

    def all(self):
        def value(store, key):
            kind = store.type(key).decode()
            read = {
                "string": store.get,
                "list": lambda key: store.lrange(key, 0, -1),
                "hash": lambda key: sorted(store.hgetall(key).items()),
                "set": lambda key: sorted(store.smembers(key)),
                "zset": lambda key: store.zrange(key, 0, -1, withscores=True),
                "stream": store.xrange,
            }
            return kind, read[kind](key), store.expiretime(key)

        stores = [self.at(number) for number in range(3)]
        keys = [(number, key) for number, store in enumerate(stores) for key in sorted(store.scan_iter(count=1000))]
        return [[(number, key, value(stores[number], key)) for number, key in keys], stores[0].function_list()]

    def use(self):
        store = self.at(0)
        assert 0 < store.ttl("lasts a day") <= 86400
        assert store.fcall("double", 0, 21) == 42
        store.set("new", "x")
        store.delete("new")
        # What is told of the limits is as before.
        assert store.info("memory")["maxmemory"] == 25 << 20


url = os.environ[sys.argv[1]]
at = urlsplit(url)
service = Mysql(at) if at.scheme == "mysql" else Redis(url)
if sys.argv[2] != "all":
    getattr(service, sys.argv[2])()
print("it holds", digest(service.all()))
