//! The commands `schema` and `man`, which print the JSON Schemas of the output and the man pages of `blocks`.

use crate::args::{ManArgs, man_pages};
use crate::exit::Exit;
use crate::output::Output;
use crate::report::schemas;

pub fn schema(name: Option<&str>, output: &Output) -> Result<(), Exit> {
    let print = |value: &dyn erased::Json| output.print(&value.pretty());
    let all = schemas();
    match name {
        None => {
            let map: std::collections::BTreeMap<_, _> = all.into_iter().collect();
            print(&map)
        }
        Some(name) => match all.iter().find(|(known, _)| *known == name) {
            Some((_, schema)) => print(schema),
            None => {
                let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
                let known = known.join(", ");
                Err(Exit::usage(format!(
                    "unknown output `{name}`; expected one of {known}"
                )))
            }
        },
    }
}

/// Provides a trait that writes a value as indented JSON. Unlike `serde::Serialize`, this trait can be used as `dyn`.
mod erased {
    pub trait Json {
        fn pretty(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn pretty(&self) -> String {
            serde_json::to_string_pretty(self).unwrap_or_default()
        }
    }
}

pub fn man(args: &ManArgs, output: &Output) -> Result<(), Exit> {
    let pages = man_pages().map_err(|e| Exit::failed(format!("cannot write the man page: {e}")))?;
    if let Some(folder) = &args.output_dir {
        for (name, text) in pages {
            let path = folder.join(format!("{name}.1"));
            std::fs::write(&path, text)
                .map_err(|e| Exit::failed(format!("cannot write {}: {e}", path.display())))?;
        }
        return Ok(());
    }
    let wanted = match args.command.as_deref() {
        Some(command) => format!("blocks-{command}"),
        None => "blocks".to_owned(),
    };
    let page = pages.into_iter().find(|(name, _)| *name == wanted);
    let (_, text) =
        page.ok_or_else(|| Exit::usage(format!("no command has the page {wanted}(1)")))?;
    output.bytes(&text)
}
