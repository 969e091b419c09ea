//! `hallmark-verify`: from evidence to findings, offline.
//!
//! The stages, in order: **load** reads files, **prove** says what of them stands, **tabulate**
//! makes rows of it, **judge** runs every rule over the rows, **report** says what was found. A
//! finding is a function of evidence and rules alone: no clock, no network, no chance.

pub mod evidence;
pub mod table;
pub mod watch;

pub mod load;

pub mod prove;
pub mod step;

mod remedy;

pub mod tabulate;

pub mod lake;

pub mod allow;
pub mod function;
pub mod pack;
pub mod series;
pub mod summary;

pub mod judge;

mod incident;

pub mod finding;

pub mod cases;
pub mod catalogue;
pub mod evaluate;

pub mod report;

pub mod trace;

pub mod cli;
pub mod command;
pub mod failure;
