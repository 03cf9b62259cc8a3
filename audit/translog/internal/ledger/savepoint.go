package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/heads"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// HeadBytes is what a chain takes in the file.
const HeadBytes = 16 + 8 + tlog.HashSize

// Savepoint is where recovery begins: all entries below Size are on stable storage as tiles, and heads are the ends of
// the chains there. In its file it is a line of JSON and the heads, 56 bytes each.
type Savepoint struct {
	Size   uint64       `json:"size"`   // the entry before it is the epoch that binds the heads
	Epoch  uint64       `json:"epoch"`  // its number
	Count  int          `json:"heads"`  // how many follow
	SHA256 string       `json:"sha256"` // of the bytes that follow
	Heads  []heads.Head `json:"-"`
}

// WriteFile writes the file of a savepoint.
func (s *Savepoint) WriteFile(w io.Writer) error {
	rest := make([]byte, 0, len(s.Heads)*HeadBytes)
	for _, h := range s.Heads {
		rest = append(rest, h.Tag[:]...)
		rest = binary.BigEndian.AppendUint64(rest, h.Seq)
		rest = append(rest, h.Leaf[:]...)
	}
	sum := sha256.Sum256(rest)
	s.Count, s.SHA256 = len(s.Heads), hex.EncodeToString(sum[:])
	line, err := json.Marshal(s)
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err == nil {
		_, err = w.Write(rest)
	}
	return err
}

// ReadSavepoint returns nil when there is none.
func ReadSavepoint(fsys fs.FS) (*Savepoint, error) {
	data, err := fs.ReadFile(fsys, SavepointFile)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	line, rest, _ := bytes.Cut(data, []byte{'\n'})
	s := new(Savepoint)
	if err := strictjson.Decode(line, s); err != nil {
		return nil, fmt.Errorf("savepoint: %w", err)
	}
	sum := sha256.Sum256(rest)
	if again, _ := json.Marshal(s); !bytes.Equal(again, line) || hex.EncodeToString(sum[:]) != s.SHA256 ||
		len(rest) != s.Count*HeadBytes || s.Size == 0 || s.Epoch == 0 {
		return nil, fmt.Errorf("savepoint: not as it was written")
	}
	for b := rest; len(b) > 0; b = b[HeadBytes:] {
		s.Heads = append(s.Heads, heads.Head{
			Tag: [16]byte(b), Seq: binary.BigEndian.Uint64(b[16:]), Leaf: tlog.Hash(b[24:HeadBytes]),
		})
	}
	return s, nil
}
