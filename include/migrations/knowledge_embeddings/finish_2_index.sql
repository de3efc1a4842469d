-- trueup: no transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS knowledge_base_documents_all_minilm_l6_v2_idx
    ON knowledge_base_documents USING hnsw (embedding vector_cosine_ops) WHERE embedding_model = 'all-MiniLM-L6-v2';
