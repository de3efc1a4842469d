"""Which columns a function of PL/pgSQL is sure to change in each row; of the least doubt none."""

from __future__ import annotations

import pytest

from include.trueup.stores.postgres.stamps import stamped


@pytest.mark.parametrize(
    ("body", "columns"),
    [
        ("BEGIN NEW.a = now(); RETURN NEW; END", ("a",)),
        ("BEGIN NEW.\"Last At\" := CURRENT_TIMESTAMP AT TIME ZONE 'utc'; NEW.b := lower(NEW.c); RETURN NEW; END", ("Last At",)),
        ("/* IF */ BEGIN new.A := now()::timestamp; -- don't\n NEW.b = clock_timestamp(); RETURN NEW; END;", ("a", "b")),
        ("BEGIN NEW.a := gen_random_uuid(); NEW.b = 'it''s'; RETURN NEW; END", ("a",)),
    ],
)  # fmt: skip
def test_what_is_sure_to_change_in_each_row_is_a_stamp(body: str, columns: tuple[str, ...]) -> None:
    assert stamped("plpgsql", body) == columns
    assert stamped("plpython3u", body) == ()


@pytest.mark.parametrize(
    "body",
    [
        "NEW.a = now()::date;",  # may be that already
        "NEW.a = now()::timestamptz(0);",
        "NEW.a = random();",
        "NEW.a = random()::int;",
        "NEW.a = nextval('s');",
        "NEW.a = lower(NEW.b);",
        "NEW.a = coalesce(NEW.a, now());",
        "IF NEW.b THEN NEW.a = now(); END IF;",  # not in each row
        "IF NEW.b THEN RETURN NEW; END IF; NEW.a = now();",
        "FOR n IN 1..0 LOOP NEW.a = now(); END LOOP;",
        "RAISE DEBUG '--'; IF NEW.b THEN NEW.a = now(); END IF;",
        "NEW.c = '--'; IF NEW.b THEN\nNEW.a = now(); END IF;",
        "NEW.b = '/*'; NEW.a = now(); NEW := OLD; NEW.b = '*/';",
        "NEW.b = '--'; NEW.a = now();",
        "/* /* */ NEW.a = now(); */",
        "NEW.b = $$; NEW.a = now(); $$;",
        r"NEW.b = E'\'; NEW.a = now(); NEW.b = ''';",
        "NEW.a = now(); NEW.a := OLD.a;",  # put back
        "NEW.a = now(); NEW := OLD;",
        "NEW.a = now(); NEW = OLD;",
        "NEW.a = now(); IF current_setting('app.migration', true) = 'on' THEN NEW = OLD; END IF;",
        "NEW.a = now(); SELECT OLD.a INTO NEW.a;",
        "NEW.a = now(); SELECT OLD.* INTO NEW;",
        "NEW.a = now(); SELECT 1, OLD.a INTO n, NEW.a;",
        "NEW.a = now(); FETCH was INTO NEW;",
        "NEW.a = now(); CALL puts_back(NEW.a);",
        "NEW.a = now(); BEGIN NEW.a = OLD.a; EXCEPTION WHEN others THEN NULL; END;",
        "PERFORM 1 FROM t WHERE NEW.a = now();",
        "NEW.a.b = now();",
        "NEW.a[1] = now();",
        "",
    ],
)
def test_what_leaves_a_doubt_is_none(body: str) -> None:
    assert stamped("plpgsql", f"BEGIN {body} RETURN NEW; END") == ()


@pytest.mark.parametrize(
    "source",
    [
        "BEGIN NEW.a = now(); RETURN OLD; END",
        "BEGIN NEW.a = now(); RETURN NULL; END",
        "DECLARE this ALIAS FOR NEW; BEGIN NEW.a = now(); this = OLD; RETURN NEW; END",
        "<<b>> DECLARE new record; BEGIN new.a = now(); RETURN b.new; END",
        "BEGIN NEW.a = now(); RETURN NEW; EXCEPTION WHEN others THEN RETURN OLD; END",
        "BEGIN ATOMIC NEW.a = now(); RETURN NEW; END",
    ],
)
def test_a_function_that_is_more_than_one_plain_block_is_none(source: str) -> None:
    assert stamped("plpgsql", source) == ()
