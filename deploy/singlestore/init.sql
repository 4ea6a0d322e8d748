-- Run once by the SingleStoreDB image: the example source table, and the relay's user.
-- The password is that of deploy/docker/relay-db-password.txt, for trying out on this machine only.

CREATE DATABASE IF NOT EXISTS `shop`;

CREATE ROWSTORE TABLE IF NOT EXISTS `shop`.`orders` (
  `WatermarkId` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `customer_id` INT UNSIGNED NOT NULL,
  `product` VARCHAR(200) NOT NULL,
  `amount` DECIMAL(12, 2) NOT NULL,
  `ordered_at` DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

CREATE USER IF NOT EXISTS 'relay'@'%' IDENTIFIED BY 'relay_password';

-- CREATE, ALTER and INDEX are for init and its upgrades. Grants of single tables that are not there yet are refused here.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON `shop`.* TO 'relay'@'%';
