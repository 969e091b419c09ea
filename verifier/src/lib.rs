//! `hallmark-verify`: from evidence to findings, offline.
//!
//! The stages, in order: **load** reads files, **prove** says what of them stands, **tabulate**
//! makes rows of it, **judge** runs every rule over the rows, **report** says what was found. A
//! finding is a function of evidence and rules alone: no clock, no network, no chance.

pub mod allow;
pub mod cases;
pub mod catalogue;
pub mod cli;
pub mod command;
pub mod evidence;
pub mod failure;
pub mod finding;
pub mod function;
pub mod judge;
pub mod lake;
pub mod load;
pub mod pack;
pub mod prove;
pub mod report;
pub mod summary;
pub mod table;
pub mod tabulate;
