//! Figures and tables of memory as Markdown, Parquet and pictures, and the page that is made of them.

pub mod draw;
pub mod figure;
pub mod page;
pub mod parquet;
pub mod redraw;
pub mod table;
mod text;
