"""The handles that users hold, and the writer, reader and cache behind them."""
