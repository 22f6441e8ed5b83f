"""A better funded set: the core, one query between its prices, combinations of finite choices."""
