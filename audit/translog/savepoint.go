package translog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/heads"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

const (
	savepointFile  = "savepoint"
	checkpointFile = "checkpoint"
	latestFile     = "latest" // the checkpoint signed last, where witnesses decide which one is published
	holdsFile      = "holds"
	journalDir     = "journal"
	indexDir       = "index"
	tileDir        = "tile"

	headBytes = 16 + 8 + tlog.HashSize
)

// savepoint is where recovery begins: all entries below Size are on stable storage as tiles, and heads are the ends of
// the chains there. In its file it is a line of JSON and the heads, 56 bytes each.
type savepoint struct {
	Size   uint64 `json:"size"`   // the entry before it is the epoch that binds the heads
	Epoch  uint64 `json:"epoch"`  // its number
	Heads  int    `json:"heads"`  // how many follow
	SHA256 string `json:"sha256"` // of the bytes that follow
	heads  []heads.Head
}

func (s *savepoint) writeTo(w io.Writer) error {
	rest := make([]byte, 0, len(s.heads)*headBytes)
	for _, h := range s.heads {
		rest = append(rest, h.Tag[:]...)
		rest = binary.BigEndian.AppendUint64(rest, h.Seq)
		rest = append(rest, h.Leaf[:]...)
	}
	sum := sha256.Sum256(rest)
	s.Heads, s.SHA256 = len(s.heads), hex.EncodeToString(sum[:])
	line, err := json.Marshal(s)
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err == nil {
		_, err = w.Write(rest)
	}
	return err
}

// readSavepoint returns nil when there is none.
func readSavepoint(fsys fs.FS) (*savepoint, error) {
	data, err := fs.ReadFile(fsys, savepointFile)
	if err != nil {
		if isMissing(err) {
			return nil, nil
		}
		return nil, err
	}
	line, rest, _ := bytes.Cut(data, []byte{'\n'})
	s := new(savepoint)
	if err := strictjson.Decode(line, s); err != nil {
		return nil, tampered("savepoint: %w", err)
	}
	sum := sha256.Sum256(rest)
	if again, _ := json.Marshal(s); !bytes.Equal(again, line) || hex.EncodeToString(sum[:]) != s.SHA256 ||
		len(rest) != s.Heads*headBytes || s.Size == 0 || s.Epoch == 0 {
		return nil, tampered("savepoint: not as it was written")
	}
	for b := rest; len(b) > 0; b = b[headBytes:] {
		s.heads = append(s.heads, heads.Head{
			Tag: [16]byte(b), Seq: binary.BigEndian.Uint64(b[16:]), Leaf: tlog.Hash(b[24:headBytes]),
		})
	}
	return s, nil
}
