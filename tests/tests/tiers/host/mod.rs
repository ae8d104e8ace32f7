//! Tests without a container engine that need root, servers on loopback or linters from package registries, or take long.

mod book;
mod first_run;
mod json;
mod linters;
mod mesos_libraries;
mod mesos_scripts;
mod reference;
mod report_page;
mod repository;
mod repository_clients;
mod repository_drill;
mod repository_emergency;
mod repository_faults;
mod repository_gate;
mod repository_keys;
mod repository_page;
mod repository_places;
mod repository_remote;
mod repository_remove;
mod repository_served;
mod repository_time;
mod repository_unusable;
