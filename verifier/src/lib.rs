//! `hallmark-verify`: from evidence to findings, offline.

pub mod evidence;
pub mod lake;
pub mod load;
pub mod prove;
pub mod table;
pub mod tabulate;
