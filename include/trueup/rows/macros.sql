-- What every transform may call, beside DuckDB itself. The engine runs this once per connection, whose TimeZone is UTC.

-- Of a date in basic form (20250131, 2025031, 2025W055) the calendar date, 2025-01-31; NULL where there is no such day.
-- strptime lets 2025366 and 2025W531 run into the next year, hence the way back.
CREATE OR REPLACE MACRO iso_calendar_date(basic) AS
    CASE length(basic)
        WHEN 7 THEN CASE WHEN strftime(try_strptime(basic, '%Y%j'), '%Y%j') = basic
            THEN strftime(try_strptime(basic, '%Y%j'), '%Y-%m-%d') END
        ELSE CASE WHEN contains(basic, 'W')
            THEN CASE WHEN strftime(try_strptime(basic, '%GW%V%u'), '%GW%V%u') = basic
                THEN strftime(try_strptime(basic, '%GW%V%u'), '%Y-%m-%d') END
            ELSE strftime(try_strptime(basic, '%Y%m%d'), '%Y-%m-%d') END
    END;

-- Of a time in extended or basic form, after its T, the extended form with minutes: T09, T0930Z → T09:00, T09:30Z.
CREATE OR REPLACE MACRO iso_extended_time(value) AS
    regexp_replace(regexp_replace(regexp_replace(value,
        '^(T\d\d)(Z|[+-]|$)', '\1:00\2'),
        '^(T\d\d)(\d\d)', '\1:\2'),
        '^(T\d\d:\d\d)(\d\d)', '\1:\2');

-- The instant of an ISO 8601 date or date and time, or NULL for any other text. Without an offset it means UTC.
-- Calendar (2025-01-31), ordinal (2025-031) and week dates (2025-W05-5), extended or basic (20250131), with hh, hh:mm
-- or hh:mm:ss and any number of fractional digits, of which six count. Never NULL for a legal date, never an instant
-- for an illegal one (2025-02-30, 2025-366, 2025-W53-1), nor for what DuckDB would read besides (infinity, 2025/1/2).
-- Years are 0001 to 9999: no .NET, Python or Java client writes the year 0000.
CREATE OR REPLACE MACRO iso_instant(value) AS
    CASE
        WHEN value IS NULL OR value < '0001' THEN NULL
        -- What nearly every row holds: DuckDB reads it, once the form is known to be strict.
        WHEN regexp_full_match(value, '\d{4}-\d\d-\d\d'
                || '(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?')
            THEN try_cast(value AS TIMESTAMPTZ)
        WHEN regexp_full_match(value, '(\d{4}-\d\d-\d\d|\d{4}-\d{3}|\d{4}-W\d\d-[1-7])'
                || '(T\d\d(:\d\d(:\d\d([.,]\d+)?)?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?')
            OR regexp_full_match(value, '(\d{8}|\d{7}|\d{4}W\d\d[1-7])'
                || '(T\d\d(\d\d(\d\d([.,]\d+)?)?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?')
            THEN try_cast(
                iso_calendar_date(regexp_replace(split_part(value, 'T', 1), '-', '', 'g'))
                || iso_extended_time(replace(substr(value, length(split_part(value, 'T', 1)) + 1), ',', '.'))
                AS TIMESTAMPTZ)
    END;

CREATE OR REPLACE MACRO uuid5_of_sha1(hex) AS
    substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-5' || substr(hex, 14, 3) || '-'
    || translate(substr(hex, 17, 1), '0123456789abcdef', '89ab89ab89ab89ab') || substr(hex, 18, 3) || '-'
    || substr(hex, 21, 12);

-- uuid5(NAMESPACE_URL, name), as RFC 9562 says: the SHA-1 of namespace and name, cut to 128 bits, marked as version 5.
CREATE OR REPLACE MACRO uuid5_url(name) AS
    uuid5_of_sha1(sha1(unhex('6ba7b8119dad11d180b400c04fd430c8') || encode(name)));

-- A text that sorts as the number does, exactly, of a number in canonical form (plain decimal, up to 999 digits):
-- sign, count of integer digits, digits. For negative numbers count and digits are complemented and an end mark, above
-- every digit, makes -1.5 sort before -1.
CREATE OR REPLACE MACRO number_order(number) AS
    CASE WHEN number[1] = '-'
        THEN 'n' || lpad(CAST(999 - length(split_part(substr(number, 2), '.', 1)) AS VARCHAR), 3, '0')
            || translate(substr(number, 2), '0123456789', '9876543210') || '~'
        ELSE 'p' || lpad(CAST(length(split_part(number, '.', 1)) AS VARCHAR), 3, '0') || number
    END;

-- What instants sort and compare by where every fractional digit counts, of which a TIMESTAMPTZ holds six.
CREATE OR REPLACE MACRO instant_order(value) AS
    CASE WHEN iso_instant(value) IS NOT NULL THEN struct_pack(
        instant := iso_instant(regexp_replace(value, '[.,]\d+', '')),
        fraction := rtrim(regexp_extract(value, '[.,](\d+)', 1), '0')) END;

-- The day in the notation that `written` is in; NULL outside the years 0001 to 9999.
CREATE OR REPLACE MACRO iso_date_like(day, written) AS
    CASE
        WHEN year(day) NOT BETWEEN 1 AND 9999 THEN NULL
        WHEN regexp_full_match(written, '\d{4}-\d\d-\d\d') THEN strftime(day, '%Y-%m-%d')
        WHEN regexp_full_match(written, '\d{8}') THEN strftime(day, '%Y%m%d')
        WHEN regexp_full_match(written, '\d{4}-\d{3}') THEN strftime(day, '%Y-%j')
        WHEN regexp_full_match(written, '\d{7}') THEN strftime(day, '%Y%j')
        WHEN contains(written, '-') THEN strftime(day, '%G-W%V-%u')
        ELSE strftime(day, '%GW%V%u')
    END;

-- An ISO 8601 date or timestamp so many calendar days later, in its own notation: what follows the date (time of day,
-- fractional digits, offset) stays byte for byte. NULL for any other text, and outside the years 0001 to 9999.
CREATE OR REPLACE MACRO iso_plus_days(value, days) AS
    CASE WHEN iso_instant(value) IS NOT NULL AND days BETWEEN -3652059 AND 3652059 THEN
        iso_date_like(
            CAST(iso_calendar_date(replace(split_part(value, 'T', 1), '-', '')) AS DATE) + TRY_CAST(days AS INTEGER),
            split_part(value, 'T', 1))
        || substr(value, length(split_part(value, 'T', 1)) + 1)
    END;

-- `_mistyped` without the names of the attributes that are NULL, its first member where there are any (`names.NULLS`).
CREATE OR REPLACE MACRO __trueup_without_nulls(mistyped) AS
    CASE WHEN starts_with(mistyped, '{"":') THEN
        nullif(regexp_replace(mistyped, '^\{"":\["(?:[^"\\]|\\.)*"(?:,"(?:[^"\\]|\\.)*")*\],?', '{'), '{}')
    ELSE mistyped END;

-- A timestamp as PostgreSQL writes it into JSON in UTC: 2025-01-02T03:04:05.12+00:00, as many fractional digits as needed.
CREATE OR REPLACE MACRO json_timestamp(value) AS
    lpad(CAST(year(value) AS VARCHAR), CAST(greatest(4, length(CAST(year(value) AS VARCHAR))) AS INTEGER), '0')
    || rtrim(rtrim(strftime(value, '-%m-%dT%H:%M:%S.%f'), '0'), '.') || '+00:00'
    || CASE WHEN era(value) > 0 THEN '' ELSE ' BC' END; -- of a timestamp with time zone, year counts within its era

-- A real, which is read as the double of its bits (9.800000190734863), as the double of the digits that PostgreSQL writes (9.8).
CREATE OR REPLACE MACRO from_real(value) AS CAST(CAST(CAST(value AS REAL) AS VARCHAR) AS DOUBLE);

-- A value as JSON text, null as null.
CREATE OR REPLACE MACRO json_or_null(value) AS coalesce(CAST(to_json(value) AS VARCHAR), 'null');

-- The list of texts that an array of PostgreSQL is, as it is read ({a,"b c",NULL}); NULL for one of several dimensions, or with
-- bounds of its own.
CREATE OR REPLACE MACRO list_from_array(value) AS
    CASE WHEN regexp_full_match(value, '(?s)\{(("([^"\\]|\\.)*"|[^"{},\\]+)(,("([^"\\]|\\.)*"|[^"{},\\]+))*)?\}') THEN
        list_transform(
            regexp_extract_all(substr(value, 2, length(value) - 2), '(?s)"(?:[^"\\]|\\.)*"|[^",]+'),
            lambda item: CASE WHEN item = 'NULL' THEN NULL
                WHEN starts_with(item, '"') THEN regexp_replace(substr(item, 2, length(item) - 2), '(?s)\\(.)', '\1', 'g')
                ELSE item END)
    END;

-- A list as an array of PostgreSQL, as it writes it itself, so that its column takes the text as it is.
CREATE OR REPLACE MACRO array_from_list(items) AS
    CASE WHEN items IS NOT NULL THEN
        '{' || coalesce(list_aggregate(list_transform(items, lambda item: CASE
            WHEN item IS NULL THEN 'NULL'
            WHEN CAST(item AS VARCHAR) = '' OR upper(CAST(item AS VARCHAR)) = 'NULL'
                OR regexp_matches(CAST(item AS VARCHAR), '[{}",\\ \t\n\r\x0b\x0c]')
                THEN '"' || replace(replace(CAST(item AS VARCHAR), '\', '\\'), '"', '\"') || '"'
            ELSE CAST(item AS VARCHAR) END), 'string_agg', ','), '') || '}'
    END;
