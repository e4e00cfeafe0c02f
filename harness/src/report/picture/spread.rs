//! Labels side by side that do not overlap.

/// Middles of labels that are `heights` high, in their order from `top` to `bottom`, each as near to where it is wanted
/// as the others let it be. No two overlap; where they do not all fit, the last go beyond `bottom`.
pub fn spread(wanted: &[f64], heights: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // Labels that touch make a block, which lies at the mean of where its labels want it (pool adjacent violators).
    let mut blocks: Vec<Block> = Vec::new();
    for index in order {
        let mut block =
            Block { members: vec![index], upper: wanted[index] - heights[index] / 2.0, height: heights[index] };
        block.upper = block.upper.min(bottom - block.height).max(top);
        while let Some(above) = blocks.pop_if(|above| above.upper + above.height > block.upper) {
            block = above.joined(block, wanted, heights);
            block.upper = block.upper.min(bottom - block.height).max(top);
        }
        blocks.push(block);
    }
    let mut middles = vec![0.0; wanted.len()];
    for block in blocks {
        let mut at = block.upper;
        for index in block.members {
            middles[index] = at + heights[index] / 2.0;
            at += heights[index];
        }
    }
    middles
}

struct Block {
    /// From above to below.
    members: Vec<usize>,
    upper: f64,
    height: f64,
}

impl Block {
    fn joined(mut self, below: Self, wanted: &[f64], heights: &[f64]) -> Self {
        self.members.extend(below.members);
        let (mut uppers, mut height) = (0.0, 0.0);
        for &index in &self.members {
            uppers += wanted[index] - heights[index] / 2.0 - height;
            height += heights[index];
        }
        Self { upper: uppers / self.members.len() as f64, height, members: self.members }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn labels_never_overlap_keep_their_order_and_stay_inside(
            items in proptest::collection::vec((-50.0f64..500.0, 8.0f64..30.0), 1..30),
        ) {
            let (wanted, heights): (Vec<f64>, Vec<f64>) = items.into_iter().unzip();
            let bottom = heights.iter().sum::<f64>().max(400.0);
            let middles = spread(&wanted, &heights, 0.0, bottom);
            let mut order: Vec<usize> = (0..wanted.len()).collect();
            order.sort_by(|a, b| middles[*a].total_cmp(&middles[*b]));
            for pair in order.windows(2) {
                let room = middles[pair[1]] - middles[pair[0]];
                prop_assert!(room >= (heights[pair[0]] + heights[pair[1]]) / 2.0 - 1e-9);
                prop_assert!(wanted[pair[0]] <= wanted[pair[1]]);
            }
            for (middle, height) in middles.iter().zip(&heights) {
                prop_assert!(*middle >= height / 2.0 - 1e-9 && *middle <= bottom - height / 2.0 + 1e-9);
            }
        }
    }

    #[test]
    fn what_has_room_stays_where_it_is_and_what_has_none_shares_it() {
        assert_eq!(spread(&[100.0, 50.0], &[10.0, 10.0], 0.0, 200.0), [100.0, 50.0]);
        assert_eq!(spread(&[100.0, 100.0], &[10.0, 10.0], 0.0, 200.0), [95.0, 105.0]);
    }
}
