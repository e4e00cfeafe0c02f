//! What holds for every chart, whatever is in it.

use super::strokes;
use super::*;
use resvg::usvg::{Group, Node, Options, Tree, fontdb::Database};
use std::sync::Arc;

fn points(ys: &[f64]) -> Vec<Point> {
    ys.iter().enumerate().map(|(i, y)| Point { x: i as f64, y: *y, low: y - 1.0, high: y + 0.5 }).collect()
}

fn plot(scale: Scale, lines: &[&[f64]]) -> Plot {
    let strokes = strokes(lines.iter().map(|_| ("sll", "SLL")));
    let line = |(i, (ys, stroke)): (usize, (&&[f64], Stroke))| {
        Line::new(stroke, format!("SLL, variant {i}"), "97.10, n=3", points(ys))
    };
    Plot {
        title: "A & B".into(),
        subtitle: "settings".into(),
        x_label: "epoch".into(),
        y_label: "accuracy (%)".into(),
        ticks: vec![(0.0, "0".into())],
        scale,
        series: lines.iter().zip(strokes).enumerate().map(line).collect(),
        ..Plot::default()
    }
}

/// Every text of a picture with its left, upper, right and lower edges.
fn texts(svg: &str) -> Vec<(String, [f64; 4])> {
    let mut fonts = Database::new();
    fonts.load_font_data(font::data().to_vec());
    let options = Options { fontdb: Arc::new(fonts), font_family: font::NAME.into(), ..Options::default() };
    let mut found = Vec::new();
    gather(Tree::from_str(svg, &options).unwrap().root(), &mut found);
    found
}

fn gather(group: &Group, found: &mut Vec<(String, [f64; 4])>) {
    for node in group.children() {
        match node {
            Node::Group(group) => gather(group, found),
            Node::Text(text) => {
                let words = text.chunks().iter().map(|chunk| chunk.text()).collect();
                let edges = text.abs_bounding_box();
                let edges = [edges.left(), edges.top(), edges.right(), edges.bottom()].map(f64::from);
                found.push((words, edges));
            }
            _ => {}
        }
    }
}

fn size(svg: &str) -> [f64; 2] {
    let tree = Tree::from_str(svg, &Options::default()).unwrap();
    [tree.size().width(), tree.size().height()].map(f64::from)
}

#[test]
fn no_text_is_cut_off_and_none_lies_on_another() {
    let near = [[97.0, 98.0, 98.4], [97.1, 98.1, 98.4], [96.8, 97.9, 98.39], [10.0, 10.1, 10.0]];
    let many: Vec<[f64; 3]> = (0..30).map(|i| [90.0, 95.0, 97.0 + 0.01 * f64::from(i)]).collect();
    for lines in [&near[..], &many[..]] {
        let lines: Vec<&[f64]> = lines.iter().map(|line| &line[..]).collect();
        let mut plot = plot(Scale::Percent, &lines);
        plot.title = "Choosing each rule's learning rate on a convolutional network of some depth, on held-out \
                      training images of a data set with a long name, title and all"
            .into();
        plot.subtitle = "mlp-2x800, dropout 0.2 · adamax, lr 0.001, batch 128 (PEPITA: sgd) · ".repeat(4);
        plot.series[0].label = "TP, tanh, inverses first for an epoch, and then some more words".into();
        plot.series[1].quoted = Some(98.2);
        plot.ticks = (0..40).map(|i| (f64::from(i) / 20.0, format!("{i}000"))).collect();
        let svg = plot.svg().unwrap();
        let (texts, [width, height]) = (texts(&svg), size(&svg));
        assert!(texts.len() > 2 * plot.series.len(), "{texts:?}");
        for (index, (words, [left, top, right, bottom])) in texts.iter().enumerate() {
            assert!(*left >= 0.0 && *top >= 0.0 && *right <= width && *bottom <= height, "{words:?} is cut off");
            for (other, [a, b, c, d]) in &texts[..index] {
                let apart = c <= left || right <= a || d <= top || bottom <= b;
                assert!(apart, "{words:?} lies on {other:?}");
            }
        }
    }
}

#[test]
fn an_svg_and_its_png_have_one_size() {
    let svg = plot(Scale::Any, &[&[1.0, 2.0]]).svg().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let paths = save(&svg, folder.path(), "x").unwrap();
    assert_eq!(std::fs::read_to_string(&paths[0]).unwrap(), svg);
    let png = image::open(&paths[1]).unwrap();
    assert_eq!([png.width(), png.height()].map(f64::from), size(&svg));
    assert!(write(&svg, &folder.path().join("x.jpg")).unwrap_err().to_string().contains(".png"));
}

#[test]
fn a_rule_that_is_far_off_has_a_panel_of_its_own() {
    let near: &[&[f64]] = &[&[80.0, 82.0], &[81.0, 83.0], &[80.5, 82.5]];
    let panels = |plot: &Plot| layout::Layout::of(plot).panels.len();
    assert_eq!(panels(&plot(Scale::Percent, near)), 1);
    let far = [near, &[&[10.0, 11.0]]].concat();
    assert_eq!(panels(&plot(Scale::Percent, &far)), 2);
    assert_eq!(panels(&plot(Scale::Amount, &far)), 1, "amounts are compared by their heights");
}

#[test]
fn a_line_under_another_is_drawn_wider() {
    let halo = "opacity=\"0.4\"";
    let under = plot(Scale::Amount, &[&[100.0, 200.0], &[100.0, 200.0]]).svg().unwrap();
    assert_eq!(under.matches(halo).count(), 1, "{under}");
    assert_eq!(plot(Scale::Amount, &[&[100.0, 200.0], &[150.0, 300.0]]).svg().unwrap().matches(halo).count(), 0);
}

#[test]
fn the_papers_value_is_a_thin_line_where_it_is_in_sight() {
    let thin = "opacity=\"0.65\"";
    let mut quoted = plot(Scale::Percent, &[&[60.0, 64.0]]);
    quoted.series[0].quoted = Some(65.0);
    assert_eq!(quoted.svg().unwrap().matches(thin).count(), 1);
    quoted.series[0].quoted = Some(99.0);
    assert_eq!(quoted.svg().unwrap().matches(thin).count(), 0);
}

#[test]
fn theory_is_kept_in_sight_and_tags_are_written() {
    let mut amounts = plot(Scale::Amount, &[&[400.0, 900.0]]);
    // A cross is two thin lines of the rule's colour.
    let thin = format!("stroke=\"{}\" stroke-width=\"10\"", amounts.series[0].stroke.colour);
    let crosses = |plot: &Plot| plot.svg().unwrap().matches(&thin).count() / 2;
    let before = crosses(&amounts);
    amounts.series[0].model = vec![(0.0, 1200.0)];
    assert_eq!(crosses(&amounts), before + 1);
    assert_eq!(amounts.series[0].range(0.0), (399.0, 1200.0));
    amounts.series[0].tags = vec!["first tag".into(), "second tag".into()];
    let svg = amounts.svg().unwrap();
    assert!(svg.contains("first tag") && svg.contains("second tag"), "{svg}");
}

#[test]
fn what_is_no_number_is_left_out_and_harms_nothing() {
    for wild in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN] {
        for scale in [Scale::Percent, Scale::Any, Scale::Amount, Scale::Log] {
            let mut sound = plot(scale, &[&[10.0, 30.0]]);
            sound.series[0].points[0].low = 10.0;
            let mut plot = plot(scale, &[&[10.0, wild, 30.0]]);
            (plot.series[0].points[2].x, plot.series[0].points[0].low) = (1.0, wild);
            plot.series[0].model = vec![(wild, 1.0), (1.0, wild)];
            plot.series[0].quoted = Some(wild);
            plot.ticks.push((wild, "wild".into()));
            assert_eq!(plot.svg(), sound.svg(), "{wild}");
            plot.series[0].points.iter_mut().for_each(|point| point.x = wild);
            assert_eq!(plot.svg(), None, "{wild}");
        }
    }
}

#[test]
fn a_single_point_is_drawn_and_text_is_escaped() {
    for spread in [Spread::Band, Spread::Bars] {
        for kinds in [false, true] {
            let svg = Plot { spread, kinds, ..plot(Scale::Percent, &[&[50.0]]) }.svg().unwrap();
            assert!(svg.starts_with("<svg") && svg.contains("A &amp; B") && svg.contains("SLL"), "{svg}");
        }
    }
}

#[test]
fn early_epochs_decide_no_axis() {
    let mut plot = plot(Scale::Percent, &[&[5.0, 60.0, 70.0]]);
    assert_eq!(plot.series[0].range(1.0), (59.0, 70.5));
    plot.settled = 1.0;
    assert!(texts(&plot.svg().unwrap()).iter().all(|(words, _)| words != "20"));
}
