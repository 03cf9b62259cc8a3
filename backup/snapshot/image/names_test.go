//go:build unix

package image_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/snapshot/image"
)

func read(t *testing.T, content []byte) *image.Header {
	h, err := image.Read(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	return h
}

func TestNamesOfPointsMayHaveTheirMark(t *testing.T) {
	h := read(t, []byte(`<domainsnapshot><name>before #2</name><disks><disk name="vda" snapshot="internal"/><disk name="vdb"/>
<disk name="vdc" snapshot="no"><source file="never"/></disk><disk name="vdd" snapshot="manual"><source file="never"/></disk></disks><domain><devices>
<disk device="disk"><source file="vm#1.qcow2"/><target dev="vda"/></disk><disk><source file="vm#2.qcow2"/><target dev="vdb"/></disk></devices></domain></domainsnapshot>`))
	require.Len(t, h.Points[0].Refs, 2)
	require.Equal(t, []string{"vm#1.qcow2", "before #2"}, []string{h.Points[0].Refs[0].Name, h.Points[0].Refs[0].Point})
	require.Equal(t, []string{"vm#2.qcow2", ""}, []string{h.Points[0].Refs[1].Name, h.Points[0].Refs[1].Point})
	many := strings.Repeat(`<disk name="x"><source file="y"/></disk>`, 1100)
	require.Len(t, read(t, []byte("<domainsnapshot><name>x</name><disks>"+many+"</disks></domainsnapshot>")).Points[0].Refs, 1000)
}

func TestPointsInAScanAreThoseThatAreNamed(t *testing.T) {
	be := binary.BigEndian
	image := qcow2("", 0)
	be.PutUint32(image[60:], 3)
	be.PutUint64(image[64:], 1<<16)
	image = append(image, make([]byte, 1<<16-len(image))...)
	for i, name := range []string{"a #1", "b", "b"} { // QEMU lets two have one name
		p := make([]byte, 40)
		be.PutUint16(p[12:], 1)
		be.PutUint16(p[14:], uint16(len(name)))
		p = append(append(p, byte('1'+i)), name...)
		image = append(image, append(p, make([]byte, -len(p)&7)...)...)
	}
	dir := folder(t, map[string][]byte{
		"vm#1.qcow2": image,
		"x.xml":      []byte(`<domainsnapshot><name>a #1</name><disks><disk name="vda" snapshot="internal"><source file="vm#1.qcow2"/></disk></disks></domainsnapshot>`),
	})
	nodes, findings := scan(t, dir)
	require.Empty(t, findings)
	for _, point := range []string{"a #1", "b", "b#3"} {
		require.Contains(t, nodes, dir+"/vm#1.qcow2#"+point)
	}
	require.Equal(t, dir+"/vm#1.qcow2#a #1", nodes[dir+"/x.xml#a #1"].Needs[0].ID)
}

func TestNamesAreTakenAsQemuTakesThem(t *testing.T) {
	require.Equal(t, []string{image.RuleForeign}, rules(read(t, qcow2("file:base", 0)).Findings), "which is looked for wherever qemu was started")
	require.Equal(t, "/x/base", read(t, qcow2("file:/x/base", 0)).Refs[0].Name)
	require.Equal(t, []string{image.RuleForeign}, rules(read(t, qcow2(":base", 0)).Findings))
	first := append(descriptor("a", "b", "one"), "CID=c\nparentCID=ffffffff\nparentFileNameHint=\"two\"\n"...)
	require.Equal(t, "one", read(t, first).Refs[0].Name, "the first counts")
	diff := qcow2("base", 0)
	require.Contains(t, read(t, put(put(diff, 104, 1), 111, 17)).Broken, "longer than the header", "up to the name")
	disk := vhdx(write, map[string]string{"relative_path": "base", "parent_linkage": write})
	require.Contains(t, read(t, put(disk, 1<<20+64<<10+16+28, 0xff, 0xff)).Broken, "a key or a value that is outside")
}
