-- What a try that was broken off has left: an index that nobody uses, and that no later try would make again.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('knowledge_base_documents_all_minilm_l6_v2_idx') AND NOT indisvalid)
    THEN
        DROP INDEX knowledge_base_documents_all_minilm_l6_v2_idx;
    END IF;
END $$;
