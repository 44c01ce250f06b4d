"""The loop language as C11."""
