/** An order service: every change of an order and the event that tells of it are committed together. */
import Fastify, { type FastifyInstance } from 'fastify';
import type { OutboxEventInit, OutboxRepository } from 'kafka-row-sender/outbox';
import type { Pool, PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';

export interface OrderServiceOptions {
  readonly pool: Pool;
  readonly outbox: OutboxRepository;
}

interface OrderBody {
  readonly customer: string;
  readonly items: readonly { readonly product: string; readonly quantity: number; readonly price: number }[];
}

const ORDER_BODY = {
  type: 'object',
  required: ['customer', 'items'],
  properties: {
    customer: { type: 'string', minLength: 1, maxLength: 100 },
    items: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      items: {
        type: 'object',
        required: ['product', 'quantity', 'price'],
        properties: {
          product: { type: 'string', minLength: 1 },
          quantity: { type: 'integer', minimum: 1 },
          price: { type: 'number', minimum: 0 },
        },
      },
    },
  },
};
const ID_PARAMS = { type: 'object', properties: { id: { type: 'integer', minimum: 1 } } };

const orderEvent = (id: number, type: string, payload: object): OutboxEventInit => ({
  type,
  aggregateType: 'order',
  aggregateId: String(id),
  payload,
});

export function createOrderService({ pool, outbox }: OrderServiceOptions): FastifyInstance {
  const service = Fastify();

  /** Commits what `work` did; a fault anywhere, the outbox's too, undoes all of it. */
  async function inTransaction<T>(work: (tx: PoolConnection) => Promise<T>): Promise<T> {
    const tx = await pool.getConnection();
    try {
      await tx.beginTransaction();
      const result = await work(tx);
      await tx.commit();
      return result;
    } catch (fault) {
      await tx.rollback();
      throw fault;
    } finally {
      tx.release();
    }
  }

  service.post<{ Body: OrderBody }>('/orders', { schema: { body: ORDER_BODY } }, async ({ body }, reply) => {
    const { customer, items } = body;
    const total = items.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
    const id = await inTransaction(async (tx) => {
      const values = [customer, total, 'placed'];
      const [{ insertId }] = await tx.execute<ResultSetHeader>(
        'INSERT INTO orders (customer, total, state) VALUES (?, ?, ?)',
        values,
      );
      await outbox.add(tx, orderEvent(insertId, 'OrderPlaced', { id: insertId, customer, total, items }));
      return insertId;
    });
    return reply.code(201).send({ id, total });
  });

  service.post<{ Params: { id: number } }>(
    '/orders/:id/cancel',
    { schema: { params: ID_PARAMS } },
    async ({ params: { id } }, reply) => {
      const cancelled = await inTransaction(async (tx) => {
        const sql = "UPDATE orders SET state = 'cancelled' WHERE id = ? AND state = 'placed'";
        const [{ affectedRows }] = await tx.execute<ResultSetHeader>(sql, [id]);
        // Nothing changed, so there is nothing to tell.
        if (affectedRows === 1) await outbox.add(tx, orderEvent(id, 'OrderCancelled', { id }));
        return affectedRows === 1;
      });
      return cancelled ? reply.code(204).send() : reply.code(409).send({ error: 'there is no such order to cancel' });
    },
  );

  service.get<{ Params: { id: number } }>('/orders/:id', { schema: { params: ID_PARAMS } }, async (request, reply) => {
    const sql = 'SELECT id, customer, total, state FROM orders WHERE id = ?';
    const [rows] = await pool.execute<RowDataPacket[]>(sql, [request.params.id]);
    return rows[0] ?? reply.code(404).send({ error: 'there is no such order' });
  });

  return service;
}
