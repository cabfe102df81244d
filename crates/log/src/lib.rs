//! Bytes in one order.
