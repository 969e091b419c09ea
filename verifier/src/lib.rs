//! `hallmark-verify`: from evidence to findings, offline.
