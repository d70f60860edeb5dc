use super::*;
use ecphory_core::Silent;

fn wave(count: usize, columns: usize) -> Vec<f32> {
    (0..count * columns).map(|i| (i as f32 * 0.7).sin() + (i as f32 * 0.013).cos()).collect()
}

fn how(clusters: usize, seed: u64) -> KMeans {
    KMeans { clusters, iterations_max: 100, seed, level: Level::detect() }
}

fn run(how: KMeans, values: &[f32], columns: usize) -> Clustering {
    how.run(Vectors::new("point", values, columns).unwrap(), &Silent).unwrap()
}

/// The sum of squared distances to the means of a partition, from its definition.
fn inertia(values: &[f32], columns: usize, assignment: &[u32], clusters: u32) -> f64 {
    let mut total = 0.0;
    for cluster in 0..clusters {
        let members: Vec<&[f32]> = values
            .chunks(columns)
            .zip(assignment)
            .filter(|(_, a)| **a == cluster)
            .map(|(row, _)| row)
            .collect();
        for column in 0..columns {
            let all = members.iter().map(|row| f64::from(row[column]));
            let mean = all.clone().sum::<f64>() / members.len().max(1) as f64;
            total += all.map(|value| (value - mean).powi(2)).sum::<f64>();
        }
    }
    total
}

#[test]
fn the_best_of_some_seeds_is_the_best_of_all_partitions() {
    let (count, columns, clusters) = (9usize, 2, 3u32);
    for shift in 0..6 {
        let values: Vec<f32> =
            wave(count, columns).iter().map(|v| v * 3.0 + shift as f32).collect();
        let values = &values[..];
        let mut best = f64::INFINITY;
        for code in 0..3u32.pow(count as u32) {
            let assignment: Vec<u32> =
                (0..count).map(|i| code / 3u32.pow(i as u32) % clusters).collect();
            best = best.min(inertia(values, columns, &assignment, clusters));
        }
        let found = (0..30).map(|seed| run(how(clusters as usize, seed), values, columns).inertia);
        let found = found.fold(f64::INFINITY, f64::min);
        assert!((found - best).abs() <= 1e-4 * best, "{found} {best}");
    }
}

#[test]
fn points_are_nearest_to_their_centroids_which_are_their_means() {
    let (count, columns) = (700, 19);
    let values = wave(count, columns);
    let result = run(how(23, 5), &values, columns);
    assert!(result.iterations > 1 && result.iterations < 100);
    assert_eq!(result.centroids.len(), 23 * columns);
    for (row, &cluster) in values.chunks(columns).zip(&result.assignment) {
        let distances: Vec<f64> =
            result.centroids.chunks(columns).map(|centroid| distance(row, centroid)).collect();
        let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(distances[cluster as usize] <= least + 1e-4);
    }
    for (cluster, members) in result.groups().iter().enumerate() {
        for column in 0..columns {
            let sum: f64 =
                members.iter().map(|&m| f64::from(values[m as usize * columns + column])).sum();
            let mean = result.centroids[cluster * columns + column];
            assert!((f64::from(mean) - sum / members.len() as f64).abs() < 1e-5);
        }
    }
    let exact = inertia(&values, columns, &result.assignment, 23);
    assert!((result.inertia / exact - 1.0).abs() < 1e-6);
}

#[test]
fn threads_do_not_change_a_bit() {
    let values = wave(1000, 33);
    let in_pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(how(17, 2), &values, 33))
    };
    let one = in_pool(1);
    assert_eq!(one, in_pool(2));
    assert_eq!(one, in_pool(3));
    assert_ne!(one.assignment, run(how(17, 3), &values, 33).assignment);
}

#[test]
fn clear_groups_are_found() {
    let mut values = Vec::new();
    for point in 0..90 {
        let at = (point % 3) as f32 * 10.0;
        values.extend([at + (point as f32).sin(), at - (point as f32).cos()]);
    }
    let result = run(how(3, 1), &values, 2);
    for point in 3..90 {
        assert_eq!(result.assignment[point], result.assignment[point % 3]);
    }
    assert_eq!(result.groups().iter().map(Vec::len).collect::<Vec<_>>(), [30, 30, 30]);
}

#[test]
fn there_are_no_more_clusters_than_points_that_differ() {
    let values = [[1.0f32, 2.0], [0.1, 0.3], [1.0, 2.0], [0.1, 0.3], [7.0, 7.0]].concat();
    let result = run(how(4, 0), &values, 2);
    assert_eq!(result.groups().len(), 3);
    assert_eq!(result.inertia, 0.0);
    assert_eq!(result.assignment[0], result.assignment[2]);
    let all_same = run(how(4, 0), &[0.5; 12], 3);
    assert_eq!((all_same.groups().len(), all_same.inertia), (1, 0.0));
}

#[test]
fn an_empty_cluster_gets_the_farthest_point() {
    let values = [0.0f32, 1.0, 5.0, 6.0];
    let points = Vectors::new("point", &values, 1).unwrap();
    let near = |cluster, distance| Nearest { cluster, distance };
    let mut nearest = [near(0, 0.0), near(0, 1.0), near(2, 9.0), near(0, 16.0)];
    fill_empty(points, &mut nearest, 4);
    // Point 3 goes first; point 2 stays, alone in its cluster; then point 1.
    assert_eq!(nearest.map(|near| near.cluster), [0, 3, 2, 1]);
    let mut done = [near(0, 0.0), near(0, 0.0), near(0, 0.0), near(0, 0.0)];
    fill_empty(points, &mut done, 2);
    assert_eq!(done.map(|near| near.cluster), [0; 4]);
}

struct Stop;

impl Progress for Stop {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn bad_points_are_refused_and_work_can_be_stopped() {
    let message = |values, columns| Vectors::new("query", values, columns).unwrap_err().to_string();
    assert_eq!(message(&[0.0, 1.0, f32::NAN, 3.0], 2), "query 1: value 0 is NaN");
    assert_eq!(message(&[0.0; 5], 2), "values of vectors: expected 6, got 5");
    assert_eq!(message(&[], 2), "there are no vectors");
    assert_eq!(message(&[0.0], 0), "there are no vectors");
    let points = Vectors::new("query", &[0.0, 1.0], 1).unwrap();
    assert!(how(0, 0).run(points, &Silent).is_err());
    assert!(matches!(how(1, 0).run(points, &Stop), Err(Error::Interrupted)));
}
