//! Programs that the tests compile, with places whose lines and inlined functions are known.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Calls that are inlined, with a label `mark` at a known line of the innermost function. A line that a test asks for ends in
/// a comment that names it.
pub(super) const INLINED: &str = r#"
static volatile int sink;

static inline __attribute__((always_inline)) void inner(int x)
{
    sink = x;
    __asm__ volatile("mark: nop"); /* inner */
}

static inline __attribute__((always_inline)) void middle(int x)
{
    if (x > 3)
        inner(x + sink); /* middle */
}

__attribute__((noinline)) int outer(int x)
{
    int i;
    for (i = 0; i < x; i++)
        middle(x * 3); /* outer */
    return sink;
}
"#;

/// What makes a program of it, the kernel's or any other.
pub(super) const MAIN: &str = "
const char linux_banner[] = \"Linux version 6.1.0-test (someone@somewhere) #1\";
int outer(int x);
int main(int argc, char **argv) { (void)argv; return outer(argc) + linux_banner[0]; }
";

/// What makes a module of it: the marks of one, and a function in another section at the same offset.
pub(super) const MODULE: &str = r#"
static const char info[] __attribute__((section(".modinfo"), used)) =
    "name=test_module\0vermagic=6.1.0-test SMP preempt mod_unload ";
static int this_module __attribute__((section(".gnu.linkonce.this_module"), used));

static inline __attribute__((always_inline)) void set(int x)
{
    __asm__ volatile("mark_init: nop"); /* set */
    sink = x;
}

__attribute__((noinline, section(".init.text"))) int starter(int x)
{
    set(x); /* starter */
    return outer(x);
}
"#;

/// A folder with a compiler at hand.
pub(super) struct Workshop {
    folder: TempDir,
}

impl Workshop {
    pub(super) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// Where a file of this name is in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Runs a program in the folder; `None`, said visibly, when this machine does not have it.
    ///
    /// # Panics
    /// When the program is there and fails.
    pub(super) fn run(&self, test: &str, program: &str, arguments: &[&str]) -> Option<String> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .output();
        let Ok(output) = output else {
            testing::skip(test, &format!("there is no `{program}`"));
            return None;
        };
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {says}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Compiles C; the bytes of what comes out.
    pub(super) fn compile(&self, test: &str, name: &str, source: &str, flags: &[&str]) -> Option<Vec<u8>> {
        let file = format!("{name}.c");
        self.write(&file, source);
        let mut arguments = vec!["-O2", "-g", "-Wl,--build-id=sha1", "-o", name, &file];
        arguments.extend(flags);
        self.run(test, "cc", &arguments)?;
        Some(self.read(name))
    }

    /// The file with its debug sections packed; `None`, said visibly, when the tool for it cannot do that.
    pub(super) fn pack(&self, test: &str, name: &str, packing: &str) -> Option<Vec<u8>> {
        let option = format!("--compress-debug-sections={packing}");
        let output = Command::new("objcopy")
            .args([&option, name, "packed"])
            .current_dir(self.folder.path())
            .output();
        if !output.is_ok_and(|output| output.status.success()) {
            testing::skip(
                test,
                &format!("there is no `objcopy`, or it does not know `{option}`"),
            );
            return None;
        }
        Some(self.read("packed"))
    }

    pub(super) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }
}

/// The number of the line that ends in the comment with this name.
pub(super) fn line(source: &str, name: &str) -> u32 {
    let mark = format!("/* {name} */");
    let line = source.lines().position(|line| line.ends_with(&mark)).unwrap();
    u32::try_from(line + 1).unwrap()
}

/// The program that is the kernel, compiled as any test may want it.
pub(super) fn program(workshop: &Workshop, test: &str, flags: &[&str]) -> Option<Vec<u8>> {
    workshop.compile(test, "program", &format!("{INLINED}{MAIN}"), flags)
}

/// The relocatable file that is a module, linked as the kernel's build links one.
pub(super) fn module(workshop: &Workshop, test: &str, flags: &[&str]) -> Option<Vec<u8>> {
    let flags: Vec<&str> = ["-r", "-nostdlib", "-fno-pie"]
        .into_iter()
        .chain(flags.iter().copied())
        .collect();
    workshop.compile(test, "module.o", &format!("{INLINED}{MODULE}"), &flags)
}
