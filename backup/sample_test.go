package backup_test

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/big"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup"
)

// tbMiss is the chance to meet no damage, to 256 bits, for numbers whose binomials would be too long.
func tbMiss(files, damaged, sampled int64) *big.Float {
	if damaged > sampled {
		damaged, sampled = sampled, damaged
	}
	number := func(n int64) *big.Float { return new(big.Float).SetPrec(256).SetInt64(n) }
	miss := number(1)
	for i := range damaged {
		miss.Mul(miss, new(big.Float).SetPrec(256).Quo(number(files-i-sampled), number(files-i)))
	}
	return miss
}

func TestDetectionProbabilityIsExactForLargeTreesToo(t *testing.T) {
	for _, c := range [][3]int64{
		{1 << 32, 1, 1}, {1 << 32, 100, 1 << 24}, {1 << 32, 1<<16 - 1, 1 << 16}, {1 << 32, 1 << 16, 1 << 16}, {1 << 32, 1<<16 + 1, 1<<16 + 1},
		{1 << 32, 70_000, 1 << 17}, {1 << 40, 70_000, 1 << 20}, {1 << 40, 1 << 17, 1 << 18}, {1 << 50, 80_000, 1 << 30}, {200_000, 70_000, 70_000},
		{1 << 18, 1 << 17, 1 << 17}, {1<<17 + 2, 1<<16 + 1, 1<<16 + 1},
	} {
		want, _ := new(big.Float).Sub(big.NewFloat(1).SetPrec(256), tbMiss(c[0], c[1], c[2])).Float64()
		require.InDelta(t, want, float64(backup.DetectionProbability(c[0], c[1], c[2])), 1e-9, "%v", c)
	}
}

func TestDetectionProbabilityOfAnyNumbersIsAProbability(t *testing.T) {
	most := int64(math.MaxInt64)
	edges := []int64{math.MinInt64, -1, 0, 1, 2, 1<<16 - 1, 1 << 16, 1<<16 + 1, 1 << 32, 1 << 53, most / 2, most/2 + 1, most - 1, most}
	for _, files := range edges {
		for _, damaged := range edges {
			for _, sampled := range edges {
				p := float64(backup.DetectionProbability(files, damaged, sampled))
				require.True(t, p >= 0 && p <= 1, "%d, %d, %d: %v", files, damaged, sampled, p)
				switch {
				case files <= 0 || damaged <= 0 || sampled <= 0:
					require.Zero(t, p, "%d, %d, %d", files, damaged, sampled)
				case damaged >= files || sampled >= files:
					require.EqualValues(t, 1, p, "%d, %d, %d", files, damaged, sampled)
				default:
					require.Positive(t, p, "%d, %d, %d", files, damaged, sampled)
				}
			}
		}
	}
}

func TestDetectionProbabilityIsSymmetricAndMonotone(t *testing.T) {
	const slack = 1e-9
	rapid.Check(t, func(t *rapid.T) {
		// By the number of bits, so that small numbers come as often as large ones.
		upTo := func(most int64, label string) int64 {
			return min(most, rapid.Int64Range(0, 1<<rapid.IntRange(0, 50).Draw(t, label+" bits")).Draw(t, label))
		}
		files := upTo(1<<50, "files")
		damaged, sampled, more := upTo(files, "damaged"), upTo(files, "sampled"), upTo(1<<40, "more")
		p := float64(backup.DetectionProbability(files, damaged, sampled))
		require.True(t, p >= 0 && p <= 1, "%v", p)
		require.Equal(t, p, float64(backup.DetectionProbability(files, sampled, damaged)))
		require.GreaterOrEqual(t, float64(backup.DetectionProbability(files, damaged+more, sampled)), p-slack)
		require.LessOrEqual(t, float64(backup.DetectionProbability(files+more, damaged, sampled)), p+slack)
	})
}

// tbPopulation is a tree of n files of one byte each.
func tbPopulation(n int) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := range n {
		tree[fmt.Sprintf("d%d/%03d", i%3, i)] = &fstest.MapFile{Data: []byte{byte(i)}, Mode: 0o644, ModTime: one}
	}
	return tree
}

func TestSampleStillLooksAtEverythingElse(t *testing.T) {
	original := tbPopulation(100)
	manifest := build(t, original, nil)
	damaged := maps.Clone(original)
	delete(damaged, "d0/000")
	delete(damaged, "d0/099")
	damaged["d0/extra"] = &fstest.MapFile{ModTime: one}
	damaged["zzz"] = &fstest.MapFile{ModTime: one}
	damaged["d1/001"] = &fstest.MapFile{Data: []byte("longer"), Mode: 0o644, ModTime: one}
	damaged["d1/097"] = &fstest.MapFile{Mode: 0o644, ModTime: one}
	damaged["d2/002"] = &fstest.MapFile{Data: []byte("d1"), Mode: fs.ModeSymlink | 0o777, ModTime: one}
	damaged["d2/005"] = &fstest.MapFile{Data: []byte{5}, Mode: 0o600, ModTime: one}
	for seed := range byte(30) {
		r := verify(t, manifest, damaged, backup.Budget{Sample: 1, Seed: backup.Digest{seed + 1}})
		require.Equal(t, map[string][]string{
			"missing": {"d0/000", "d0/099"}, "extra": {"d0/extra", "zzz"}, "changed": {"d1/001", "d1/097", "d2/002"}, "metadata": {"d2/005"},
		}, found(t, r), "seed %d", seed)
		require.EqualValues(t, 103, r.Entries)
		require.LessOrEqual(t, r.Checked, int64(1))
		require.Equal(t, backup.StatusDamaged, r.Status)
	}
}

func TestSampleFindsContentDamageExactlyWhereItIsDrawn(t *testing.T) {
	tree := tbPopulation(60)
	manifest := build(t, tree, nil)
	for seed := range byte(20) {
		b := backup.Budget{Sample: 25, Seed: backup.Digest{1, seed}}
		seen := &opens{FS: tree}
		r := verify(t, manifest, seen, b)
		require.True(t, r.OK)
		drawn := seen.files()
		require.Len(t, drawn, 25, "distinct ones, since files sorts and none is opened twice")
		met := map[string]bool{}
		for _, name := range drawn {
			met[name] = true
		}
		require.Len(t, met, 25)
		found := 0
		for name, file := range tree {
			bad := maps.Clone(tree)
			bad[name] = &fstest.MapFile{Data: []byte{file.Data[0] ^ 1}, Mode: 0o644, ModTime: one}
			got := verify(t, manifest, bad, b)
			require.Equal(t, met[name], len(got.Changed) == 1, "%s with seed %d", name, seed)
			require.Equal(t, r.Sample, got.Sample)
			found += len(got.Changed)
		}
		require.InDelta(t, float64(r.Sample.OneFile), float64(found)/60, 1e-12, "the chance stated is the share of files whose damage was found")
	}
}

func TestSampleOfAListOfDigests(t *testing.T) {
	tree := tbPopulation(50)
	files, errs := tbSums(t.Context(), tree, nil)
	require.Empty(t, errs)
	r, err := backup.VerifySums(t.Context(), files, tree, backup.Budget{Sample: 7})
	require.NoError(t, err)
	require.EqualValues(t, 7, r.Checked)
	require.EqualValues(t, 50, r.Sample.Files)
	require.Empty(t, found(t, r))
}

func ExampleDetectionProbability() {
	const files = 100_000
	for _, sampled := range []int64{300, 3_000, 30_000} {
		fmt.Printf("%5d of %d files read: finds one bad file by %5.2f %%, a hundred by %6.2f %%\n", sampled, files,
			100*backup.DetectionProbability(files, 1, sampled), 100*backup.DetectionProbability(files, 100, sampled))
	}
	// Output:
	//   300 of 100000 files read: finds one bad file by  0.30 %, a hundred by  25.96 %
	//  3000 of 100000 files read: finds one bad file by  3.00 %, a hundred by  95.25 %
	// 30000 of 100000 files read: finds one bad file by 30.00 %, a hundred by 100.00 %
}
