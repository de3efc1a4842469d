-- Who may see scoring_results, by the param row_security (a setting of this transaction). Safe to run again.
DO $security$
DECLARE
    way text := current_setting('trueup.row_security');
    fresh boolean := NOT EXISTS (SELECT FROM scoring_results);
    owned boolean := EXISTS (
        SELECT FROM pg_policy WHERE polrelid = 'scoring_results'::regclass AND polname = 'scoring_results_owner');
    legacy record;
    policy record;
    granted record;
BEGIN
    IF to_regclass('profiles') IS NULL THEN
        RETURN;
    END IF;
    SELECT relowner::regrole AS owner, relrowsecurity, relforcerowsecurity INTO legacy
    FROM pg_class WHERE oid = 'profiles'::regclass;
    IF fresh THEN
        -- whoever has got rights by default, and has none on profiles, loses them
        FOR granted IN
            SELECT a.grantee, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = 'scoring_results'::regclass AND a.grantee <> c.relowner
        LOOP
            EXECUTE format('REVOKE %s ON scoring_results FROM %s', granted.privilege_type,
                CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
        END LOOP;
        FOR granted IN
            SELECT a.grantee, a.privilege_type, a.is_grantable FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = 'profiles'::regclass AND a.grantee <> c.relowner
        LOOP
            EXECUTE format('GRANT %s ON scoring_results TO %s%s', granted.privilege_type,
                CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END,
                CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
        END LOOP;
        EXECUTE format('ALTER TABLE scoring_results OWNER TO %s', legacy.owner);
    END IF;
    IF way = 'owner' THEN
        -- what was copied from profiles lets others see rows, too
        FOR policy IN
            SELECT n.polname FROM pg_policy n JOIN pg_policy o ON o.polname = n.polname
            WHERE n.polrelid = 'scoring_results'::regclass AND o.polrelid = 'profiles'::regclass
        LOOP
            EXECUTE format('DROP POLICY %I ON scoring_results', policy.polname);
        END LOOP;
        EXECUTE 'ALTER TABLE scoring_results ENABLE ROW LEVEL SECURITY';
        IF NOT owned THEN
            CREATE POLICY scoring_results_owner ON scoring_results FOR SELECT USING (EXISTS (
                SELECT 1 FROM assessment_sessions s
                WHERE s.id = scoring_results.session_id AND s.user_id
                    = (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')::uuid
            ));
        END IF;
        RETURN;
    END IF;
    IF NOT fresh AND NOT owned THEN
        RETURN; -- a table with rows is as somebody has it
    END IF;
    DROP POLICY IF EXISTS scoring_results_owner ON scoring_results;
    IF legacy.relrowsecurity THEN
        EXECUTE 'ALTER TABLE scoring_results ENABLE ROW LEVEL SECURITY';
    END IF;
    IF legacy.relforcerowsecurity THEN
        EXECUTE 'ALTER TABLE scoring_results FORCE ROW LEVEL SECURITY';
    END IF;
    FOR policy IN
        SELECT p.polname, p.polpermissive, p.polcmd,
            coalesce((SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ') FROM unnest(p.polroles) r),
                'PUBLIC') AS roles,
            -- a column of the table is named alone, or by the table's name
            regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\mprofiles\.', 'scoring_results.', 'g') AS visible,
            regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\mprofiles\.', 'scoring_results.', 'g') AS written
        FROM pg_policy p
        WHERE p.polrelid = 'profiles'::regclass AND NOT EXISTS (
            SELECT FROM pg_policy n WHERE n.polrelid = 'scoring_results'::regclass AND n.polname = p.polname)
    LOOP
        EXECUTE format('CREATE POLICY %I ON scoring_results AS %s FOR %s TO %s', policy.polname,
            CASE WHEN policy.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE policy.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                ELSE 'ALL' END,
            policy.roles)
            || coalesce(' USING (' || policy.visible || ')', '') || coalesce(' WITH CHECK (' || policy.written || ')', '');
    END LOOP;
END
$security$;
