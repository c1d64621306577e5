package importer

import (
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// argument says what an argument of a resource of Terraform is called in the
// input of CreateDeliveryStream.
type argument struct {
	to     string         // the members that lead to it, with dots; "" if it is no part of that input
	block  block          // of a block what its arguments become; nil if it is a value
	many   bool           // it may be there several times
	preset document.Value // what the provider takes if it is not given
	now    string         // the argument that it is called in later versions of the provider; "" if it is still
}

// block is the arguments of a block by their names.
type block map[string]argument

func is(to string) argument                { return argument{to: to} }
func nested(to string, b block) argument   { return argument{to: to, block: b} }
func repeated(to string, b block) argument { return argument{to: to, block: b, many: true} }
func before(now string) argument           { return argument{now: now} }
func number(to, preset string) argument    { return defaulting(to, document.Number, preset) }
func text(to, preset string) argument      { return defaulting(to, document.Text, preset) }
func enabled(preset string) argument { return defaulting("Enabled", document.Boolean, preset) }

func defaulting(to string, k document.Kind, s string) argument {
	return argument{to: to, preset: document.Value{Kind: k, Text: s, Loose: true}}
}

// streamBlock is the resource itself, as hashicorp/aws 6 has it, and its
// defaults. s3_configuration is of versions before 5.
func streamBlock() block {
	b := block{
		"name":                         is("DeliveryStreamName"),
		"kinesis_source_configuration": nested("KinesisStreamSourceConfiguration", block{"kinesis_stream_arn": is("KinesisStreamARN"), "role_arn": is("RoleARN")}),
		"extended_s3_configuration":    nested("ExtendedS3DestinationConfiguration", extendedBlock()),
		"s3_configuration":             nested("S3DestinationConfiguration", s3Block()),

		"elasticsearch_configuration":        nested("ElasticsearchDestinationConfiguration", clusterBlock()),
		"opensearch_configuration":           nested("AmazonopensearchserviceDestinationConfiguration", clusterBlock()),
		"opensearchserverless_configuration": nested("AmazonOpenSearchServerlessDestinationConfiguration", serverlessBlock()),
		"redshift_configuration":             nested("RedshiftDestinationConfiguration", redshiftBlock()),
	}
	for name, to := range map[string]string{
		"msk_source_configuration":    "MSKSourceConfiguration",
		"http_endpoint_configuration": "HttpEndpointDestinationConfiguration",
		"iceberg_configuration":       "IcebergDestinationConfiguration",
		"snowflake_configuration":     "SnowflakeDestinationConfiguration",
		"splunk_configuration":        "SplunkDestinationConfiguration",
	} {
		b[name] = is(to)
	}
	for _, name := range []string{ // what became of it, what Terraform does with it, and what the other arguments say
		"arn", "id", "destination", "destination_id", "version_id", "region", "tags", "tags_all", "timeouts", "server_side_encryption",
	} {
		b[name] = is("")
	}
	return b
}

// s3Block is any S3 destination.
func s3Block() block {
	return block{
		"bucket_arn":         is("BucketARN"),
		"buffering_interval": number("BufferingHints.IntervalInSeconds", "300"),
		"buffering_size":     number("BufferingHints.SizeInMBs", "5"),
		"buffer_interval":    before("buffering_interval"), // until version 4, as the next
		"buffer_size":        before("buffering_size"),
		"cloudwatch_logging_options": nested("CloudWatchLoggingOptions", block{
			"enabled": enabled("false"), "log_group_name": is("LogGroupName"), "log_stream_name": is("LogStreamName"),
		}),
		"compression_format":  text("CompressionFormat", "UNCOMPRESSED"),
		"error_output_prefix": is("ErrorOutputPrefix"),
		"kms_key_arn":         is("EncryptionConfiguration.KMSEncryptionConfig.AWSKMSKeyARN"),
		"prefix":              is("Prefix"),
		"role_arn":            is("RoleARN"),
	}
}

// extendedBlock is the destination that has everything.
func extendedBlock() block {
	b := s3Block()
	b["processing_configuration"] = processingBlock()
	b["custom_time_zone"] = text("CustomTimeZone", "UTC")
	b["file_extension"] = is("FileExtension")
	b["s3_backup_mode"] = text("S3BackupMode", "Disabled")
	b["s3_backup_configuration"] = nested("S3BackupConfiguration", s3Block())
	b["dynamic_partitioning_configuration"] = nested("DynamicPartitioningConfiguration", block{
		"enabled": enabled("false"), "retry_duration": number("RetryOptions.DurationInSeconds", "300"),
	})
	b["data_format_conversion_configuration"] = nested("DataFormatConversionConfiguration", conversionBlock())
	return b
}

func processingBlock() argument {
	return nested("ProcessingConfiguration", block{
		"enabled": is("Enabled"),
		"processors": repeated("Processors", block{
			"type":       is("Type"),
			"parameters": repeated("Parameters", block{"parameter_name": is("ParameterName"), "parameter_value": is("ParameterValue")}),
		}),
	})
}

// serverlessBlock is the destination Amazon OpenSearch Serverless, and what it has in
// common with clusters.
func serverlessBlock() block {
	s3 := s3Block()
	b := block{
		"cloudwatch_logging_options": s3["cloudwatch_logging_options"],
		"collection_endpoint":        is("CollectionEndpoint"),
		"index_name":                 is("IndexName"),
		"processing_configuration":   processingBlock(),
		"retry_duration":             number("RetryOptions.DurationInSeconds", "300"),
		"s3_backup_mode":             text("S3BackupMode", "FailedDocumentsOnly"),
		"s3_configuration":           nested("S3Configuration", s3),
		"vpc_config": nested("VpcConfiguration", block{
			"role_arn": is("RoleARN"), "security_group_ids": is("SecurityGroupIds"), "subnet_ids": is("SubnetIds"), "vpc_id": is(""),
		}),
	}
	for _, same := range []string{"buffering_interval", "buffering_size", "buffer_interval", "buffer_size", "role_arn"} {
		b[same] = s3[same]
	}
	return b
}

// clusterBlock is a destination of a cluster.
func clusterBlock() block {
	b := serverlessBlock()
	delete(b, "collection_endpoint")
	b["cluster_endpoint"] = is("ClusterEndpoint")
	b["document_id_options"] = nested("DocumentIdOptions", block{"default_document_id_format": text("DefaultDocumentIdFormat", "FIREHOSE_DEFAULT")})
	b["domain_arn"] = is("DomainARN")
	b["index_rotation_period"] = text("IndexRotationPeriod", "OneDay")
	b["type_name"] = is("TypeName")
	return b
}

// redshiftBlock is the destination Redshift.
func redshiftBlock() block {
	s3 := s3Block()
	return block{
		"cloudwatch_logging_options": s3["cloudwatch_logging_options"],
		"cluster_jdbcurl":            is("ClusterJDBCURL"),
		"copy_options":               is("CopyCommand.CopyOptions"),
		"data_table_columns":         is("CopyCommand.DataTableColumns"),
		"data_table_name":            is("CopyCommand.DataTableName"),
		"password":                   is("Password"),
		"processing_configuration":   processingBlock(),
		"retry_duration":             number("RetryOptions.DurationInSeconds", "3600"),
		"role_arn":                   is("RoleARN"),
		"s3_backup_configuration":    nested("S3BackupConfiguration", s3),
		"s3_backup_mode":             text("S3BackupMode", "Disabled"),
		"s3_configuration":           nested("S3Configuration", s3),
		"secrets_manager_configuration": nested("SecretsManagerConfiguration", block{
			"enabled": enabled("false"), "role_arn": is("RoleARN"), "secret_arn": is("SecretARN"),
		}),
		"username": is("Username"),
	}
}

// conversionBlock is that of format conversion. What the provider takes for its own
// arguments is not in it: nothing of it acts here.
func conversionBlock() block {
	return block{
		"enabled": enabled("true"),
		"schema_configuration": nested("SchemaConfiguration", block{
			"catalog_id": is("CatalogId"), "database_name": is("DatabaseName"), "region": is("Region"), "role_arn": is("RoleARN"), "table_name": is("TableName"), "version_id": is("VersionId"),
		}),
		"input_format_configuration": nested("InputFormatConfiguration", block{"deserializer": nested("Deserializer", block{
			"hive_json_ser_de": nested("HiveJsonSerDe", block{"timestamp_formats": is("TimestampFormats")}),
			"open_x_json_ser_de": nested("OpenXJsonSerDe", block{
				"case_insensitive": is("CaseInsensitive"), "column_to_json_key_mappings": is("ColumnToJsonKeyMappings"),
				"convert_dots_in_json_keys_to_underscores": is("ConvertDotsInJsonKeysToUnderscores"),
			}),
		})}),
		"output_format_configuration": nested("OutputFormatConfiguration", block{"serializer": nested("Serializer", block{
			"parquet_ser_de": nested("ParquetSerDe", block{
				"block_size_bytes": is("BlockSizeBytes"), "compression": is("Compression"), "enable_dictionary_compression": is("EnableDictionaryCompression"),
				"max_padding_bytes": is("MaxPaddingBytes"), "page_size_bytes": is("PageSizeBytes"), "writer_version": is("WriterVersion"),
			}),
			"orc_ser_de": nested("OrcSerDe", block{
				"block_size_bytes": is("BlockSizeBytes"), "bloom_filter_columns": is("BloomFilterColumns"),
				"bloom_filter_false_positive_probability": is("BloomFilterFalsePositiveProbability"), "compression": is("Compression"),
				"dictionary_key_threshold": is("DictionaryKeyThreshold"), "enable_padding": is("EnablePadding"), "format_version": is("FormatVersion"),
				"padding_tolerance": is("PaddingTolerance"), "row_index_stride": is("RowIndexStride"), "stripe_size_bytes": is("StripeSizeBytes"),
			}),
		})}),
	}
}

// terraformName returns the argument that a member comes from.
func terraformName(member string) string {
	if name := streamBlock().nameOf(member); name != "" {
		return name
	}
	return member
}

func (b block) nameOf(member string) string {
	for name, a := range b {
		if a.to == member || strings.HasSuffix(a.to, "."+member) {
			return name
		}
	}
	for _, a := range b {
		if name := a.block.nameOf(member); name != "" {
			return name
		}
	}
	return ""
}
