-- Run once by the MariaDB image on an empty data directory: the example source table, and the relay's user.
-- The password is that of deploy/docker/relay-db-password.txt, for trying out on this machine only.

CREATE DATABASE IF NOT EXISTS `shop` CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS `shop`.`orders` (
  `WatermarkId` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `customer_id` INT UNSIGNED NOT NULL,
  `product` VARCHAR(200) NOT NULL,
  `amount` DECIMAL(12, 2) NOT NULL,
  `ordered_at` DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB;

CREATE USER IF NOT EXISTS 'relay'@'%' IDENTIFIED BY 'relay_password';

-- The application's table is only read.
GRANT SELECT ON `shop`.`orders` TO 'relay'@'%';

-- The relay's own tables. CREATE, ALTER and INDEX are for init and its upgrades; writers and senders do without them.
GRANT SELECT, INSERT, DELETE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_outbox` TO 'relay'@'%';
GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_watermark` TO 'relay'@'%';
GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_lane` TO 'relay'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_member` TO 'relay'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_dead_letter` TO 'relay'@'%';
GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_topic` TO 'relay'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_gap` TO 'relay'@'%';
GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_source_facts` TO 'relay'@'%';
-- A missing id is settled by the list of running transactions, which only users with PROCESS may read. It is a right on the whole
-- server: the relay's user sees the statements of others, and may change nothing by it. Without it the gap mode is `locks`.
GRANT PROCESS ON *.* TO 'relay'@'%';
-- The canary table stays empty. Without SELECT and INSERT on it no gap mode can be proven, and time decides.
GRANT SELECT, INSERT, CREATE, ALTER, INDEX ON `shop`.`kafka_row_sender_canary` TO 'relay'@'%';
