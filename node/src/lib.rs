//! `hallmark-node`: the peer of an organisation.
