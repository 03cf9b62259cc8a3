package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cloudopsec/opsec/backup/snapshot"
)

func isDocument(start []byte) bool {
	start = bytes.TrimLeft(start, " \t\r\n")
	rest, ok := bytes.CutPrefix(start, []byte("{"))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"snapshots"`))
}

// Document reads snapshots in the JSON form of this package, for systems that have no files of ours: RBD, ZFS, snapshots of a cloud, layers of a backup
// tool. It is an object whose only field, "snapshots", is a list of [snapshot.Node], each of which [snapshot.Builder.Add] takes. It has 256 MiB at
// most, [MaxFiles] nodes, and 64 MiB for one of them. Fields that are not known are refused. Errors wrap [opsec.ErrInvalid].
//
//	{"snapshots": [
//	  {"id": "pool/vm-7@mon", "restore": true, "created": "2026-03-02T02:00:00Z", "size": 4096},
//	  {"id": "pool/vm-7@tue", "restore": true, "needs": [{"id": "pool/vm-7@mon", "as": "parent"}]}
//	]}
func Document(r io.Reader) ([]snapshot.Node, error) {
	l := &limited{r: r, whole: maxDocument}
	nodes, err := decode(l)
	if err != nil {
		return nil, invalid("document: %v", err)
	}
	return nodes, nil
}

// limited reads a document, and of that not more than a bound for each node.
type limited struct {
	r           io.Reader
	whole, node int // bytes that are left
}

func (l *limited) Read(p []byte) (int, error) {
	if l.whole <= 0 || l.node <= 0 {
		return 0, fmt.Errorf("more than %d bytes, or %d for one snapshot", maxDocument, maxNode)
	}
	n, err := l.r.Read(p[:min(len(p), l.whole, l.node)])
	l.whole, l.node = l.whole-n, l.node-n
	return n, err
}

// decode reads one node after the other, so that a text of many short ones cannot take many times its size.
func decode(l *limited) (nodes []snapshot.Node, err error) {
	l.node = maxNode
	d := json.NewDecoder(l)
	d.DisallowUnknownFields()
	expect := func(tokens ...json.Token) error {
		for _, want := range tokens {
			switch got, err := d.Token(); {
			case err != nil:
				return err
			case got != want:
				return fmt.Errorf("%v, want %v", got, want)
			}
		}
		return nil
	}
	if err := expect(json.Delim('{'), "snapshots", json.Delim('[')); err != nil {
		return nil, err
	}
	for d.More() {
		if len(nodes) >= MaxFiles {
			return nil, fmt.Errorf("more than %d snapshots", MaxFiles)
		}
		var n snapshot.Node
		l.node = maxNode
		err := d.Decode(&n)
		if err == nil {
			err = possible(n)
		}
		if err != nil {
			return nil, fmt.Errorf("snapshots[%d]: %w", len(nodes), err)
		}
		nodes = append(nodes, n)
	}
	if err := expect(json.Delim(']'), json.Delim('}')); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return nodes, nil
}

// possible says why a graph would not take a node, so that one document does not spoil the whole.
func possible(n snapshot.Node) error {
	ids := []string{n.ID}
	for _, need := range n.Needs {
		ids = append(ids, need.ID)
	}
	for _, id := range ids {
		if id == "" || len(id) > snapshot.MaxIDLen {
			return fmt.Errorf("an id of %d bytes, want 1 to %d", len(id), snapshot.MaxIDLen)
		}
	}
	if n.Size < 0 || n.Virtual < 0 || n.Replicas < 0 || n.Replicas > math.MaxUint16 {
		return fmt.Errorf("size %d, virtual %d, replicas %d: want none below 0, and %d replicas at most", n.Size, n.Virtual, n.Replicas, math.MaxUint16)
	}
	return nil
}
