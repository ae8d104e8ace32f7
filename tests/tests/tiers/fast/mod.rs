//! Tests that need neither a container engine nor root nor a network.

mod bad_input;
mod mesos_data;
mod mesos_kept;
mod new_target;
mod pipelines;
mod report_page;
mod rooms;
mod surroundings;
mod targets;
mod unity;
mod verdicts;
mod version;
