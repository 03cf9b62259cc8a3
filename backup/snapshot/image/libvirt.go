package image

import (
	"bytes"
	"encoding/xml"

	"github.com/cloudopsec/opsec/backup/snapshot"
)

// domainSnapshot is what matters of libvirt's XML for a snapshot of a machine (https://libvirt.org/formatsnapshot.html).
type domainSnapshot struct {
	XMLName xml.Name `xml:"domainsnapshot"`
	Name    string   `xml:"name"`
	Created int64    `xml:"creationTime"`
	Memory  struct {
		Kind string `xml:"snapshot,attr"`
		File string `xml:"file,attr"`
	} `xml:"memory"`
	Disks []struct {
		Name   string `xml:"name,attr"`
		Kind   string `xml:"snapshot,attr"`
		Source source `xml:"source"`
	} `xml:"disks>disk"`
	Domain *struct {
		Disks []struct {
			Device string `xml:"device,attr"`
			Source source `xml:"source"`
			Target struct {
				Dev string `xml:"dev,attr"`
			} `xml:"target"`
		} `xml:"devices>disk"`
	} `xml:"domain"`
}

type source struct {
	File     string `xml:"file,attr"`
	Protocol string `xml:"protocol,attr"`
	Name     string `xml:"name,attr"`
	Dev      string `xml:"dev,attr"`
}

// named returns what a source refers to.
func (s source) named() string {
	switch {
	case s.File != "":
		return s.File
	case s.Protocol != "":
		return s.Protocol + ":" + s.Name
	}
	return s.Dev
}

func isXML(start []byte) bool {
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), " \t\r\n")
	return bytes.HasPrefix(start, []byte("<domainsnapshot")) || bytes.HasPrefix(start, []byte("<?xml")) && bytes.Contains(start, []byte("<domainsnapshot")) ||
		bytes.HasPrefix(start, []byte("<!--")) && bytes.Contains(start, []byte("<domainsnapshot"))
}

// libvirt reads a snapshot of a machine. It is a point that needs the file that each disk was written to when it was taken, and the file of
// the memory: of an external snapshot the one of before it (in the domain's description), of an internal one the point inside of the file.
func (p *parser) libvirt() {
	p.Format, p.Virtual = Libvirt, 0
	if p.size > maxDescriptor {
		p.broken("XML of %d bytes, want up to %d", p.size, maxDescriptor)
		return
	}
	text := p.bytes(0, p.size)
	if p.err != nil {
		return
	}
	var s domainSnapshot
	d := xml.NewDecoder(bytes.NewReader(text)) // which knows no entities but XML's own, and fetches nothing
	if err := d.Decode(&s); err != nil || s.Name == "" || len(s.Name) > maxName {
		p.broken("XML of a snapshot that cannot be read, or has no name of up to %d bytes: %v", maxName, err)
		return
	}
	before := map[string]string{}
	if s.Domain != nil {
		for _, d := range s.Domain.Disks {
			if d.Device == "" || d.Device == "disk" {
				before[d.Target.Dev] = d.Source.named()
			}
		}
	}
	point := Point{Name: s.Name, Created: s.Created}
	if s.Created < 0 || s.Created > maxCreated {
		point.Created = 0
	}
	need := func(name, inside string, memory bool) {
		if name != "" && len(point.Refs) < 1000 {
			r := p.ref(name, snapshot.AsContains, "")
			r.Point, r.memory = inside, memory
			point.Refs = append(point.Refs, r)
		}
	}
	for _, d := range s.Disks {
		name := before[d.Name]
		if name == "" {
			name = d.Source.named() // the overlay; what was there before is what it is laid on
		}
		switch d.Kind {
		case "no", "manual":
		case "internal":
			need(name, s.Name, false)
		default:
			need(name, "", false)
		}
	}
	if s.Memory.Kind == "external" {
		need(s.Memory.File, "", true)
	}
	p.Points = append(p.Points, point)
}

// pointMark stands between the name of a file and that of a point inside of it.
const pointMark = "#"
