// Package fence lets one member of a cluster be primary, and keeps a former one from writing.
package fence
