// Package importer reads the files that describe a delivery stream as what they
// all come to, the input of Firehose's CreateDeliveryStream. A file is recognised
// by its shape:
//
//   - the output of describe-delivery-stream, as JSON or YAML
//   - a CloudFormation template, as JSON or YAML with short tags; so also what the
//     CDK synthesizes
//   - the output of terraform show -json, of a plan or of a state
//   - a file of Terraform's language: its literals, and the variables and locals
//     that are some
//   - anything else is the input of CreateDeliveryStream itself, as YAML or JSON,
//     which [document.Read] reads
//
// What the members mean is not this package's business: it says where they are,
// in the spelling of the file, and leaves their judgement to the reader of the
// document. It asks nobody: what a file leaves open, such as the ARN of a bucket
// that another template makes, stays open until it is given by its name with Set,
// and is a fault only if somebody reads it.
//
// Time and memory grow with the size of the file, whatever is in it.
package importer
