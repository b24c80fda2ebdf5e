//! The store and the services on a real PostgreSQL: a private cluster for all tests, a database for each.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests panic")]

mod access;
mod admin;
mod alerts;
mod books;
mod browser;
mod catalogue;
mod chaos;
mod counting;
mod delivery;
mod discovery;
mod drain;
mod exports;
mod fleet_pages;
mod grafana;
mod hardware;
mod hosts;
mod ingest;
mod issues;
mod migrations;
mod netconsole;
mod old_clients;
mod operations;
mod outage;
mod pages;
mod partitions;
mod population;
mod program;
mod python;
mod queries;
mod refusals;
mod statistics;
mod support;
mod symbols;
mod tail;
mod web;
