//! `hallmark-agent`: signs at the source.
