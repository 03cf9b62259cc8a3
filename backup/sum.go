package backup

import (
	"context"
	"io"

	"github.com/cloudopsec/opsec/backup/digest"
)

// The words of package digest, which computes digests, as they are used here.
type (
	Digest     = digest.Digest  // 32 bytes of BLAKE3 or SHA-256
	Sums       = digest.Sums    // the size and the digests of one content
	SumOptions = digest.Options // which digests, and how many workers
)

// Sum returns the digests of p, computed on all cores; see [digest.Sum].
func Sum(p []byte, opts *SumOptions) Sums { return digest.Sum(p, opts) }

// SumReaderAt returns the digests of the first size bytes of r, which it reads once, on all cores and in bounded
// memory; see [digest.SumReaderAt].
func SumReaderAt(ctx context.Context, r io.ReaderAt, size int64, opts *SumOptions) (Sums, error) {
	return digest.SumReaderAt(ctx, r, size, opts)
}
