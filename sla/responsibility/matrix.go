package responsibility

import (
	"slices"

	"github.com/cloudopsec/opsec"
)

// Layer is a part of a service that somebody has to secure.
type Layer string

// The layers, from the ground up.
const (
	Facility       Layer = "facility"       // buildings, entrance, fire, power
	Hardware       Layer = "hardware"       // servers, storage, network devices
	Network        Layer = "network"        // of the cloud
	Virtualization Layer = "virtualization" // hypervisor, virtual network and storage
	GuestOS        Layer = "guest-os"
	Middleware     Layer = "middleware" // runtimes, databases, the platform's programming interfaces
	Application    Layer = "application"
	Content        Layer = "content"  // the customer's data: what it is, and who may have it
	Identity       Layer = "identity" // accounts of the customer's people, their passwords
	Terminal       Layer = "terminal" // devices with which the cloud is used
)

// Layers returns all of them, from the ground up.
func Layers() []Layer {
	return []Layer{Facility, Hardware, Network, Virtualization, GuestOS, Middleware, Application, Content, Identity, Terminal}
}

// Known reports whether l is one of [Layers].
func (l Layer) Known() bool { return slices.Contains(Layers(), l) }

// Assignment is one party's duty for a layer.
type Assignment struct {
	Layer Layer       `json:"layer"`
	Party opsec.Party `json:"party"`          // [opsec.Both] is a duty that is shared; Note says how
	Note  string      `json:"note,omitempty"` // what of the layer; required for Both
}

// Matrix is who answers for what, of one service model.
type Matrix struct {
	Model       opsec.ServiceModel `json:"model"`
	Assignments []Assignment       `json:"assignments,omitempty"`
}

// owed is how many of [Layers] clause 7.1 gives to the provider of a service model; 0 is a model that is not known.
//
// IaaS: physical security, network security, underlying system security, the whole cloud infrastructure. PaaS: as well the
// programming interfaces, the middleware, the platform. SaaS: from the infrastructure to the application. Of NaaS the
// clause has no text; what it says of infrastructure holds, as networks are what is sold.
func owed(m opsec.ServiceModel) int {
	switch m {
	case opsec.IaaS, opsec.NaaS:
		return 4
	case opsec.PaaS:
		return 6
	case opsec.SaaS:
		return 7
	}
	return 0
}

// Models returns the service models of clause 7.1.
func Models() []opsec.ServiceModel {
	return []opsec.ServiceModel{opsec.IaaS, opsec.PaaS, opsec.SaaS, opsec.NaaS}
}

// Owed returns the layers that clause 7.1 gives to the provider, from the ground up; none of an unknown model.
func Owed(m opsec.ServiceModel) []Layer { return Layers()[:owed(m)] }

// Kept returns the layers that clause 7.1 leaves to the customer, whose security nobody else can see to: all above what
// is purchased, the customer's identities and passwords, and always the terminals. There are none of an unknown model.
func Kept(m opsec.ServiceModel) []Layer {
	if owed(m) == 0 {
		return nil
	}
	return Layers()[owed(m):]
}

// Default returns the matrix that clause 7.1 describes. That of an unknown model has no assignments, which
// [Matrix.Validate] does not take.
func Default(m opsec.ServiceModel) Matrix {
	out := Matrix{Model: m}
	for _, l := range Owed(m) {
		out.Assignments = append(out.Assignments, Assignment{Layer: l, Party: opsec.CSP})
	}
	for _, l := range Kept(m) {
		out.Assignments = append(out.Assignments, Assignment{Layer: l, Party: opsec.CSC})
	}
	return out
}

// Attribute returns who answers for a layer: [opsec.CSP], [opsec.CSC], or [opsec.Both], where a fault is not yet the fault
// of one of them. It is empty where nobody answers, and where more than one assignment names the layer.
//
// Patches are routed by it (whose is the guest OS?), and a fault is the customer's only where it returns [opsec.CSC].
func (m Matrix) Attribute(l Layer) opsec.Party {
	var who opsec.Party
	for _, a := range m.Assignments {
		if a.Layer != l {
			continue
		}
		if who != "" || !known(a.Party) {
			return ""
		}
		who = a.Party
	}
	return who
}

// Of returns the layers that a party answers for, alone or with the other, from the ground up; of [opsec.Both], those that
// are shared.
func (m Matrix) Of(p opsec.Party) []Layer {
	var out []Layer
	for _, l := range Layers() {
		if who := m.Attribute(l); known(p) && (who == p || who == opsec.Both) {
			out = append(out, l)
		}
	}
	return out
}

func known(p opsec.Party) bool { return p == opsec.CSP || p == opsec.CSC || p == opsec.Both }
