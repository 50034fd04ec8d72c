"""Everything that knows SQL: tables, statements, engines, the write plan, driver errors."""
