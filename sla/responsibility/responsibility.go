// Package responsibility says who answers for which layer of a cloud service.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.1.
package responsibility

import "github.com/cloudopsec/opsec"

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
