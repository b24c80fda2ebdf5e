//! Which stock module is broken for which scenario.

use anyhow::{Context as _, Result};

use super::{Scenario, scenarios};
use crate::vm::{
    broken_module::{self, BreakError, Code},
    kernels::Series,
    modules::{Module, Modules},
};

/// Where the modules are that are broken: character sets of file systems, parts of TCP and, where those do not suffice,
/// schedulers of packets. Nothing here uses them.
const FOLDERS: [&str; 3] = ["kernel/fs/nls", "kernel/net/ipv4", "kernel/net/sched"];

/// A module for each scenario that needs one, the same on all kernels as far as it goes. Each is another stock module,
/// for one that died in its init function is never finished and blocks its name until the reboot.
pub(crate) fn broken_modules(modules: &Modules, series: Series) -> Result<Vec<(&'static Scenario, Module)>> {
    let mut candidates: Vec<&str> = FOLDERS
        .iter()
        .flat_map(|folder| modules.names_under(folder))
        .collect();
    let mut codes: Vec<(&Scenario, Code)> = scenarios()
        .filter_map(|scenario| Some((scenario, scenario.code(series)?)))
        .collect();
    // Few modules have room for much.
    codes.sort_by_key(|(_, code)| std::cmp::Reverse(code.bytes.len()));
    let mut broken = Vec::new();
    for (scenario, code) in codes {
        let module = take_usable(modules, &mut candidates, &code)
            .with_context(|| format!("a module for {scenario}"))?;
        broken.push((scenario, module));
    }
    Ok(broken)
}

fn take_usable(modules: &Modules, candidates: &mut Vec<&str>, code: &Code) -> Result<Module> {
    let mut last = None;
    for (index, name) in candidates.iter().enumerate() {
        if modules.with_dependencies(&[name])?.len() != 1 {
            continue;
        }
        let module = modules.read(name)?;
        match broken_module::break_module(&module.bytes, code) {
            Ok(bytes) => {
                candidates.remove(index);
                let name = module.name;
                return Ok(Module { name, bytes });
            }
            Err(error @ (BreakError::Room { .. } | BreakError::Patched | BreakError::NoInit)) => {
                last = Some(error);
            }
            Err(error) => return Err(error).with_context(|| format!("module {name}")),
        }
    }
    match last {
        Some(error) => Err(error).context("no stock module can be used; the last one that was tried"),
        None => anyhow::bail!("no stock module is left"),
    }
}
