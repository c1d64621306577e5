variable "stage" {
  default = "prod"
}

variable "role" {}

locals {
  size = 64
}

resource "aws_kinesis_firehose_delivery_stream" "orders" {
  name        = "orders-${var.stage}"
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.orders.arn
    role_arn           = var.role
  }

  extended_s3_configuration {
    bucket_arn         = "arn:aws:s3:::archive-${var.stage}"
    role_arn           = var.role
    prefix             = "logs/"
    buffering_size     = local.size
    compression_format = var.stage == "prod" ? "GZIP" : "UNCOMPRESSED"

    cloudwatch_logging_options {
      enabled = "false"
    }

    processing_configuration {
      enabled = false

      processors {
        type = "Lambda"

        parameters {
          parameter_name  = "LambdaArn"
          parameter_value = "${aws_lambda_function.f.arn}:$LATEST"
        }
      }
    }
  }

  tags = { team = "data" }
}
