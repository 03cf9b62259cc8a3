package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Sum says what a driver holds: how much, and the SHA-256 of all keys and values in order, each preceded by its length
// as four bytes, the highest first. Revs are not in it, so that a copy has the sum of the original.
type Sum struct {
	Keys   int64  `json:"keys"`
	Bytes  int64  `json:"bytes"` // of keys and values
	SHA256 string `json:"sha256"`
}

// summing is a sum that grows.
type summing struct {
	Sum
	hash hash.Hash
}

func (s *summing) add(item store.Item) {
	s.Keys++
	s.Bytes += int64(len(item.Key) + len(item.Value))
	for _, part := range [][]byte{[]byte(item.Key), item.Value} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part)))
		s.hash.Write(size[:])
		s.hash.Write(part)
	}
}

func (s *summing) sum() Sum {
	s.SHA256 = hex.EncodeToString(s.hash.Sum(nil))
	return s.Sum
}

// SumOf reads all that a driver holds. While others write, the sum is of no one state.
func SumOf(ctx context.Context, d store.Driver) (Sum, error) {
	s := summing{hash: sha256.New()}
	for item, err := range store.Scan(ctx, d, store.Range{Limit: store.MaxPage}) {
		if err != nil {
			return Sum{}, err
		}
		s.add(item)
	}
	return s.sum(), nil
}

// Copy copies all that src holds into dst, which must be empty, and reads dst back to compare the sums. Values are
// copied as they are, sealed ones sealed: open the copy with the same keys. Nobody may write to either meanwhile; a
// write to src that shows, or a difference, is an error, and dst then holds a part, to be thrown away.
func Copy(ctx context.Context, dst, src store.Driver) (Sum, error) {
	have, err := dst.List(ctx, store.Range{Limit: 1, KeysOnly: true})
	if err != nil {
		return Sum{}, err
	}
	if len(have) > 0 {
		return Sum{}, fmt.Errorf("migrate: the destination is not empty: %w", opsec.ErrInvalid)
	}
	read := summing{hash: sha256.New()}
	var b store.Batch
	size := 0
	flush := func() error {
		_, err := dst.Commit(ctx, b)
		b.Ops, size = b.Ops[:0], 0
		return err
	}
	for item, err := range store.Scan(ctx, src, store.Range{Limit: store.MaxPage}) {
		if err != nil {
			return Sum{}, err
		}
		read.add(item)
		n := len(item.Key) + len(item.Value)
		if len(b.Ops) == store.MaxOps || size+n > store.MaxBatch {
			if err := flush(); err != nil {
				return Sum{}, err
			}
		}
		b.Ops, size = append(b.Ops, store.Op{Key: item.Key, Value: item.Value}), size+n
	}
	if err := flush(); err != nil {
		return Sum{}, err
	}
	copied := read.sum()
	for _, d := range []store.Driver{dst, src} {
		again, err := SumOf(ctx, d)
		if err != nil {
			return Sum{}, err
		}
		if again != copied {
			return Sum{}, fmt.Errorf("migrate: %d keys were read, and %d with another sum are there now: somebody has written", copied.Keys, again.Keys)
		}
	}
	return copied, nil
}
