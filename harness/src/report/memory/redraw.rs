//! Pages of memory's figures made again from the measurements beside them, without making any.

use super::{draw, figure as text, parquet};
use crate::error::Result;
use crate::experiment::memory::figure::{DepthLine, FigureData, cells};
use crate::experiment::memory::{Figure, MemoryExperiment, MemoryRow, Panel, find};
use crate::record::Footprint;
use crate::report::place::{About, pages};
use std::path::{Path, PathBuf};

/// Writes the text and the pictures of every memory figure's pages in `results` and says where they are. A page whose
/// measurements are not those of the figure as it is now stays as it is, which `note` hears of.
pub fn figures(results: &Path, note: &mut dyn FnMut(&str)) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (name, folder) in pages(results)? {
        let Some(mut drawn) = figure(&name, &folder)? else { continue };
        let is_its = About::read(&folder)?.is_some_and(|about| about.title == drawn.figure.title);
        let other = if is_its { with_reasons(&mut drawn)? } else { Some("its title is another one".into()) };
        if let Some(other) = other {
            note(&format!("{} stays as it is, of another {name} than there is now: {other}", folder.display()));
            continue;
        }
        written.push(text::write(&drawn, &folder)?);
        written.extend(draw::write(&drawn, &folder)?);
    }
    Ok(written)
}

/// The figure of the experiment `name` from what was measured for its page in `folder`; none where that is no figure.
pub fn figure(name: &str, folder: &Path) -> Result<Option<FigureData>> {
    let there = folder.join(parquet::FILE);
    // An experiment of the user's own has no file that is known here.
    let Ok(MemoryExperiment::MemoryFigure(figure)) = find(name) else { return Ok(None) };
    if !there.exists() {
        return Ok(None);
    }
    let command = About::read(folder)?.unwrap_or_default().command;
    Ok(Some(collect(figure, parquet::read(&there)?, command)))
}

fn collect(figure: Figure, found: Vec<(String, String, Footprint)>, command: String) -> FigureData {
    let line = |panel: &str, row: &MemoryRow| {
        let own = found.iter().filter(|(column, label, _)| column == panel && *label == row.label);
        let mut points: Vec<_> =
            own.filter_map(|(.., found)| Some((found.spec.network.depth?, found.clone()))).collect();
        points.sort_by_key(|(depth, _)| *depth);
        DepthLine { label: row.label.clone(), flat: row.flat, points, missing: None }
    };
    let panel = |panel: &Panel| figure.rows.iter().map(|row| line(&panel.label, row)).collect::<Vec<_>>();
    let panels = figure.panels.iter().map(panel).collect();
    FigureData { figure, command, panels }
}

/// Says of lines without points why; gives what is there and not as the figure asks now, if anything.
fn with_reasons(drawn: &mut FigureData) -> Result<Option<String>> {
    let Some(device) = drawn.each().next().map(|(.., found)| found.spec.device) else {
        return Ok(Some("no row has measurements".into()));
    };
    let cells = cells(&drawn.figure, device)?;
    let mut other = None;
    for cell in &cells {
        let line = &mut drawn.panels[cell.panel][cell.row];
        let point = line.points.iter().find(|(depth, _)| *depth == cell.depth);
        match &cell.spec {
            Ok(spec) if point.is_some_and(|(_, found)| found.spec != *spec) => {
                other = Some(format!("{} was measured with other settings", line.label));
            }
            Ok(_) => {}
            Err(reason) => line.missing = Some(reason.clone()),
        }
    }
    for line in drawn.panels.iter_mut().flatten().filter(|line| line.points.is_empty()) {
        line.missing.get_or_insert_with(|| "it was not measured for this page".into());
    }
    Ok(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::figure::tests::drawn;
    use crate::report::memory::parquet::Measured;
    use sll_core::memory::MemoryUse;

    #[test]
    fn what_was_measured_is_drawn_as_it_was_at_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = drawn(100);
        let measured = |(column, line, _, found)| -> Measured<'_> {
            let line: &DepthLine = line;
            Measured { column, row: &line.label, role: "depth", found }
        };
        let items: Vec<Measured> = first.each().map(measured).collect();
        let path = parquet::write("figure2x", &items, dir.path()).unwrap();
        let again = collect(first.figure.clone(), parquet::read(&path).unwrap(), first.command.clone());
        for ((.., a), (.., b)) in first.each().zip(again.each()) {
            // Of theory the file has the sum of what stands between steps.
            let summed = |bytes: MemoryUse| (bytes.step_peak(), bytes.total());
            assert_eq!(a.analytic.map(summed), b.analytic.map(summed));
            let without = |found: &Footprint| Footprint { analytic: None, ..found.clone() };
            assert_eq!(without(a), without(b));
        }
        assert_eq!(text::render(&first), text::render(&again));
        let pictures = |data: &FigureData, name: &str| {
            let dir = dir.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            draw::write(data, &dir).unwrap().iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(pictures(&first, "first"), pictures(&again, "again"));
    }

    #[test]
    fn a_page_of_another_figure_stays_as_it_is() {
        let results = tempfile::tempdir().unwrap();
        let folder = results.path().join("figure2a/flex");
        std::fs::create_dir_all(&folder).unwrap();
        let other = drawn(100);
        let items: Vec<Measured> = other
            .each()
            .map(|(column, line, _, found)| Measured { column, row: &line.label, role: "depth", found })
            .collect();
        parquet::write("figure2a", &items, &folder).unwrap();
        std::fs::write(folder.join("README.md"), "my own").unwrap();
        let mut notes = Vec::new();
        let mut written = |title: &str| {
            About { title: title.into(), ..About::default() }.write(&folder).unwrap();
            figures(results.path(), &mut |told| notes.push(told.to_string())).unwrap()
        };
        assert!(written("My figure").is_empty());
        let MemoryExperiment::MemoryFigure(known) = find("figure2a").unwrap() else { panic!("a figure") };
        assert!(written(&known.title).is_empty(), "its measurements are of no row there");
        assert!(notes.len() == 2 && notes[1].contains("stays as it is"), "{notes:?}");
        assert_eq!(std::fs::read_to_string(folder.join("README.md")).unwrap(), "my own");
    }

    #[test]
    fn an_empty_folder_has_nothing_to_draw() {
        assert!(figures(tempfile::tempdir().unwrap().path(), &mut |_| {}).unwrap().is_empty());
    }
}
