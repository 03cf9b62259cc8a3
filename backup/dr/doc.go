// Package dr watches a second site: whether it could take over, and what would be lost.
package dr
