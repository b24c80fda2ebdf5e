//! Has the crate built again when a migration was added: they are embedded, and cargo does not look for new ones by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
