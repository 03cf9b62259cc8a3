package image_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/backup/snapshot/image"
)

// Each of these holds that no header of a format makes Read panic, run for long or allocate much, and that what it returns is within bounds and can be in a
// graph. Sums are made right, so that what is behind them is reached.

func bounded(t *testing.T, b []byte) {
	h, err := image.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if h.Virtual < 0 || len(h.Points) > 65_536 || len(h.Findings) > 100 || len(h.Broken) > 4096 {
		t.Fatalf("%+v", h)
	}
	refs := h.Refs
	for _, p := range h.Points {
		if len(p.Name) > 8192 || p.Created < 0 || p.Created > 253_402_300_799 {
			t.Fatalf("%+v", p)
		}
		refs = append(refs, p.Refs...)
	}
	if len(refs) > 100_000 {
		t.Fatalf("%d references", len(refs))
	}
	for _, r := range refs {
		if r.Name == "" || len(r.Name) > 1<<20 || strings.Contains(r.Name, "\x00") {
			t.Fatalf("%q", r.Name)
		}
	}
	if h.Broken != "" && len(h.Findings) == 0 {
		t.Fatalf("broken without a finding: %s", h.Broken)
	}
}

func FuzzQCOW2(f *testing.F) {
	f.Add(qcow2("base", 7), uint16(0))
	f.Add(typed(8, 1), uint16(1))
	f.Add(onRaw("x"), uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, points uint16) {
		b = append([]byte("QFI\xfb"), b[min(len(b), 4):]...)
		if points > 0 && len(b) > 72 { // the rest is a table of them
			b[23] = 9
			b = append(b, make([]byte, 512-min(len(b), 512))...)
			binary.BigEndian.PutUint32(b[60:], uint32(points))
			binary.BigEndian.PutUint64(b[64:], 512)
		}
		bounded(t, b)
	})
}

func FuzzVMDK(f *testing.F) {
	f.Add(descriptor("a", "b", "c", "d")[21:], []byte(nil))
	f.Add([]byte("\nRW 1 FLAT \"x\" 0\nRDONLY 99999999999999999999 ZERO\n"), append([]byte("KDMV"), make([]byte, 508)...))
	f.Fuzz(func(t *testing.T, text, head []byte) {
		b := append([]byte("# Disk DescriptorFile"), text...)
		if len(head) > 4 { // inside of an extent
			b = append(append(append([]byte("KDMV"), head[4:min(len(head), 512)]...), make([]byte, 512-min(len(head), 512))...), b...)
		}
		bounded(t, b)
	})
}

func FuzzVHD(f *testing.F) {
	for _, seed := range [][]byte{vhd(4, 1, 2, "base", false), vhd(4, 1, 2, "base", true), vhd(3, 1, 0, "", false)} {
		f.Add(seed[:512], seed[512:1536], seed[1536:])
	}
	f.Fuzz(func(t *testing.T, footer, header, rest []byte) {
		foot := make([]byte, 512)
		copy(foot, footer)
		copy(foot, "conectix")
		clear(foot[64:68])
		head := make([]byte, 1024)
		copy(head, header)
		copy(head, "cxsparse")
		clear(head[36:40])
		foot = summed(foot, 64)
		bounded(t, append(append(append(bytes.Clone(foot), summed(head, 36)...), rest...), foot...))
	})
}

func FuzzVHDX(f *testing.F) {
	file := vhdx(write, map[string]string{"parent_linkage": write, "relative_path": "b"})
	f.Add(file[128<<10:][:200], file[192<<10:][:100], file[1<<20:][:32+3*32], file[1<<20+64<<10:][:400])
	f.Fuzz(func(t *testing.T, header, regions, table, items []byte) {
		b := bytes.Clone(file)
		copy(b[128<<10+8:][:4088], header[min(8, len(header)):])
		copy(b[192<<10+8:][:64<<10-8], regions[min(8, len(regions)):])
		crc(b[128<<10:][:4096])
		crc(b[192<<10:][:64<<10])
		copy(b[1<<20:][:64<<10], table)
		copy(b[1<<20+64<<10:], items)
		bounded(t, b)
	})
}

func FuzzLibvirt(f *testing.F) {
	f.Add([]byte(`<name>x#1</name><creationTime>1772416800</creationTime><memory snapshot="external" file="m"/><disks><disk name="vda" snapshot="internal"/>` +
		`<disk name="vdb"><source protocol="rbd" name="y"/></disk></disks><domain><devices><disk device="disk"><source file="a#b"/><target dev="vda"/></disk></devices></domain></domainsnapshot>`))
	f.Fuzz(func(t *testing.T, b []byte) { bounded(t, append([]byte("<domainsnapshot>"), b...)) })
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`[{"id": "a", "restore": true, "created": "2026-03-02T02:00:00Z", "size": 4096, "needs": [{"id": "b", "as": "parent"}], "replicas": 2}, {"id": "b"}]}`))
	f.Add([]byte(`null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append([]byte(`{"snapshots": `), b...)
		bounded(t, b)
		nodes, err := image.Document(bytes.NewReader(b))
		if err != nil {
			return
		}
		var g snapshot.Builder
		for _, n := range nodes {
			if err := g.Add(n); err != nil {
				t.Fatal(err)
			}
			if n.Replicas > math.MaxUint16 {
				t.Fatal(n)
			}
		}
		g.Build()
	})
}
