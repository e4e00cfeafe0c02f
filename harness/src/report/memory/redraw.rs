//! Pages of memory's figures made again from the measurements beside them, without making any.

use super::{draw, figure as text, parquet};
use crate::error::Result;
use crate::experiment::memory::figure::{DepthLine, DepthPoint, FigureData, cells};
use crate::experiment::memory::{Figure, MemoryExperiment, MemoryRow, Panel, find};
use crate::record::Footprint;
use crate::report::place::{About, pages};
use crate::spec::DeviceName;
use std::path::{Path, PathBuf};

/// Writes the text and the pictures of every memory figure's pages in `results` and says where they are.
pub fn figures(results: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (name, folder) in pages(results)? {
        if let Some(drawn) = figure(&name, &folder)? {
            written.push(text::write(&drawn, &folder)?);
            written.extend(draw::write(&drawn, &folder)?);
        }
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
    collect(figure, parquet::read(&there)?, command).map(Some)
}

fn collect(figure: Figure, found: Vec<(String, String, Footprint)>, command: String) -> Result<FigureData> {
    let device = found.first().map_or(DeviceName::Flex, |(.., found)| found.spec.device);
    let cells = cells(&figure, device)?;
    let line = |panel: &Panel, row: &MemoryRow| {
        let is_own = |cell: &&DepthPoint| {
            (&figure.panels[cell.panel].label, &figure.rows[cell.row].label) == (&panel.label, &row.label)
        };
        let missing = cells.iter().filter(is_own).find_map(|cell| cell.spec.clone().err());
        let own = found.iter().filter(|(column, label, _)| *column == panel.label && *label == row.label);
        let mut points: Vec<_> =
            own.filter_map(|(.., found)| Some((found.spec.network.depth?, found.clone()))).collect();
        points.sort_by_key(|(depth, _)| *depth);
        DepthLine { label: row.label.clone(), flat: row.flat, points, missing }
    };
    let panel = |panel: &Panel| figure.rows.iter().map(|row| line(panel, row)).collect::<Vec<_>>();
    let panels = figure.panels.iter().map(panel).collect();
    Ok(FigureData { figure, command, panels })
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
        let again = collect(first.figure.clone(), parquet::read(&path).unwrap(), first.command.clone()).unwrap();
        for ((.., a), (.., b)) in first.each().zip(again.each()) {
            // Of theory the file has the sum of what stands between steps.
            let summed = |bytes: MemoryUse| (bytes.step_peak(), bytes.total());
            assert_eq!(a.analytic.map(summed), b.analytic.map(summed));
            let without = |found: &Footprint| Footprint { analytic: None, ..found.clone() };
            assert_eq!(without(a), without(b));
        }
        let pictures = |data: &FigureData, name: &str| {
            let dir = dir.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            draw::write(data, &dir).unwrap().iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(pictures(&first, "first"), pictures(&again, "again"));
    }

    #[test]
    fn an_empty_folder_has_nothing_to_draw() {
        assert!(figures(tempfile::tempdir().unwrap().path()).unwrap().is_empty());
    }
}
