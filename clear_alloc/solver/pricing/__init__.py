"""The clearing price: a bracketed search over all queries, or over a window of prices around a sampled one."""
