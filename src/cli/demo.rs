//! `puente demo`: the whole exchange, end to end, on this machine.

#![allow(dead_code)]
mod checks;
mod expected;
mod exporters;
mod input;
mod real;
mod sales;
mod screen;
